public import GoHubCore

extension HubServer {
    /// The reason for refusing another connection from an address now; `nil` if there is none. Takes no slot.
    ///
    /// - Parameter address: an IP address without a port; `nil` if unknown.
    public func refusal(ofAddress address: String?) -> Hub.AdmissionRefusal? {
        guard isAccepting, let addresses else { return .notAccepting }
        return switch addresses.refusal(of: address.flatMap { AddressKey.of($0) }) {
        case .total: .full
        case .address: .address
        case nil: nil
        }
    }
}
