/// The reason for a store's failure. Code and message are for the log and the operator; a client receives
/// `unavailable`.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of the failure, stable across releases.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The store's queue is full, or a transaction met a conflict. Repeating the request later is safe.
        public static let busy = Code(rawValue: "busy")
        /// The disk, or another limit of the database's size, is full.
        public static let full = Code(rawValue: "full")
        /// The database did not answer in time.
        public static let timeout = Code(rawValue: "timeout")
        /// The database is unreachable, is shutting down, or its connection was lost; also any other failure.
        public static let unavailable = Code(rawValue: "unavailable")
        /// The disk or the network failed to read or write.
        public static let inputOutput = Code(rawValue: "input_output")
        /// The data are damaged, or not written by GoHub. They must be restored from a backup.
        public static let corrupt = Code(rawValue: "corrupt")
        /// The operating system or the database denies access.
        public static let denied = Code(rawValue: "denied")
        /// Another hub or another program uses the database.
        public static let inUse = Code(rawValue: "in_use")
        /// The configuration, the server or the schema does not fit this version of GoHub.
        public static let incompatible = Code(rawValue: "incompatible")
        /// The database cannot store this value.
        public static let invalid = Code(rawValue: "invalid")
        /// The store was closed.
        public static let closed = Code(rawValue: "closed")
    }

    public let code: Code
    /// One or two sentences for the log, which say what to do. Never contains a password or stored data.
    public let message: String
    /// The error that caused this one, if any. Neither printed nor compared.
    public let underlying: (any Error)?
    /// Whether the data may be stored nevertheless, now or later: the outcome is unknown.
    public let mayBeStored: Bool

    /// - Parameters:
    ///   - code: the kind of the failure.
    ///   - message: one or two sentences for the log.
    ///   - underlying: the error that caused this one, if any.
    ///   - mayBeStored: false if it is certain that nothing was or will be stored.
    public init(_ code: Code, _ message: String, underlying: (any Error)? = nil, mayBeStored: Bool = true) {
        self.code = code
        self.message = message
        self.underlying = underlying
        self.mayBeStored = mayBeStored
    }

    /// An error with the code `unavailable`.
    ///
    /// - Parameters:
    ///   - message: one or two sentences for the log.
    ///   - mayBeStored: false if it is certain that nothing was or will be stored.
    public init(_ message: String, mayBeStored: Bool = true) {
        self.init(.unavailable, message, mayBeStored: mayBeStored)
    }

    /// The same error with the certainty that nothing was or will be stored.
    public var withNothingStored: StoreError {
        StoreError(code, message, underlying: underlying, mayBeStored: false)
    }
}

extension StoreError: CodedError {
    public static func == (left: StoreError, right: StoreError) -> Bool {
        left.code == right.code && left.message == right.message && left.mayBeStored == right.mayBeStored
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(code)
        hasher.combine(message)
        hasher.combine(mayBeStored)
    }

    public var description: String { message }
}
