internal import DequeModule

/// An element of an outbound queue.
public protocol OutboundElement {
    /// Its weight in the queue, in bytes.
    var byteCount: Int { get }
}

extension EncodedEvent: OutboundElement {
    public var byteCount: Int { bytes.count }
}

/// The bounded queue in front of one transport, counted in bytes.
///
/// Two watermarks, one boolean: above the high watermark, reading from the client should pause; below half of it,
/// reading resumes. Above its bound the queue reports `overflow` permanently: a client that missed one event gets none
/// after it, so no hidden gap can exist.
///
/// Public, though only transports need it: the compiler specialises a generic type of another module only if it is
/// public. As a `package` type the queue added 9,400 instructions to a message of `wire-1`.
public struct OutboundQueue<Element: OutboundElement> {
    private var elements: Deque<Element> = []
    /// The bytes of the queued elements, at most the bound.
    public private(set) var byteCount = 0
    /// Whether the client is behind.
    public private(set) var isAboveWatermark = false
    /// Whether an element was refused. Permanent: all later elements are refused, too.
    public private(set) var hasOverflowed = false
    private let bytesMax: Int
    private let watermarkBytes: Int

    /// - Parameters:
    ///   - bytesMax: the bound in bytes. An element that would exceed it is refused, even by an empty queue.
    ///   - watermarkBytes: the high watermark in bytes.
    public init(bytesMax: Int, watermarkBytes: Int) {
        self.bytesMax = bytesMax
        self.watermarkBytes = watermarkBytes
    }

    public var isEmpty: Bool { elements.isEmpty }
    /// The oldest element.
    public var first: Element? { elements.first }

    /// Appends an element.
    ///
    /// - Returns: `overflow` when it does not fit, or an earlier one did not.
    public mutating func offer(_ element: Element) -> OfferResult {
        guard !hasOverflowed, element.byteCount <= bytesMax - byteCount else {
            hasOverflowed = true
            return .overflow
        }
        elements.append(element)
        byteCount += element.byteCount
        if byteCount > watermarkBytes { isAboveWatermark = true }
        return isAboveWatermark ? .acceptedAboveWatermark : .accepted
    }

    /// Removes the oldest element.
    ///
    /// - Returns: the element; `nil` when the queue is empty.
    public mutating func take() -> Element? {
        guard let element = elements.popFirst() else { return nil }
        byteCount -= element.byteCount
        if byteCount <= watermarkBytes / 2 { isAboveWatermark = false }
        return element
    }

    /// Discards everything and releases the memory. `hasOverflowed` stays.
    public mutating func removeAll() {
        elements = []
        byteCount = 0
        isAboveWatermark = false
    }
}

extension OutboundQueue: Sendable where Element: Sendable {}
