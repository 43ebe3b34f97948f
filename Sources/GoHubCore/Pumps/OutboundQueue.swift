internal import DequeModule

/// An element of an outbound queue.
package protocol OutboundElement {
    /// Its weight in the queue, in bytes.
    var byteCount: Int { get }
}

extension EncodedEvent: OutboundElement {
    package var byteCount: Int { bytes.count }
}

/// The bounded queue in front of one transport, counted in bytes.
///
/// Two watermarks, one boolean: above the high watermark, reading from the client should pause; below half of it,
/// reading resumes. Above its bound the queue reports `overflow` permanently: a client that missed one event gets none
/// after it, so no hidden gap can exist.
package struct OutboundQueue<Element: OutboundElement> {
    private var elements: Deque<Element> = []
    package private(set) var byteCount = 0
    /// Whether the client is behind.
    package private(set) var isAboveWatermark = false
    package private(set) var hasOverflowed = false
    private let bytesMax: Int
    private let watermarkBytes: Int

    package init(bytesMax: Int, watermarkBytes: Int) {
        self.bytesMax = bytesMax
        self.watermarkBytes = watermarkBytes
    }

    package var isEmpty: Bool { elements.isEmpty }
    package var first: Element? { elements.first }

    /// Appends an element.
    package mutating func offer(_ element: Element) -> OfferResult {
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
    package mutating func take() -> Element? {
        guard let element = elements.popFirst() else { return nil }
        byteCount -= element.byteCount
        if byteCount <= watermarkBytes / 2 { isAboveWatermark = false }
        return element
    }

    /// Discards everything and releases the memory.
    package mutating func removeAll() {
        elements = []
        byteCount = 0
        isAboveWatermark = false
    }
}

extension OutboundQueue: Sendable where Element: Sendable {}
