/// Why a connection would be refused now.
public enum AdmissionRefusal: Hashable, Sendable {
    /// The server hasn't started, drains, or has stopped.
    case notAccepting
    /// There are `ServerConfiguration.connectionsMax` connections.
    case full
    /// The address has `ServerConfiguration.connectionsPerAddressMax` connections.
    case address
}

extension HubServer {
    /// Whether one more connection from an address would be refused now, and why. Takes no place.
    ///
    /// - Parameter address: an IP address without a port; `nil` where it isn't known.
    public func refusal(ofAddress address: String?) -> AdmissionRefusal? {
        guard isAccepting, let addresses else { return .notAccepting }
        return switch addresses.refusal(of: address.flatMap { AddressKey.of($0) }) {
        case .total: .full
        case .address: .address
        case nil: nil
        }
    }
}
