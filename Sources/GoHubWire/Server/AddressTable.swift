internal import Synchronization

/// The number of connections, in total and from each address. Shared by all loops; called once per connection.
final class AddressTable: Sendable {
    enum Refusal: Hashable {
        case total, address
    }

    private struct State {
        var total = 0
        var byAddress: [String: Int] = [:]
    }

    private let state = Mutex(State())
    private let totalMax: Int
    private let perAddressMax: Int

    init(totalMax: Int, perAddressMax: Int) {
        self.totalMax = totalMax
        self.perAddressMax = perAddressMax
    }

    var total: Int { state.withLock { $0.total } }

    /// The reason why an address would get no slot now; takes none.
    func refusal(of address: String?) -> Refusal? {
        state.withLock { state in
            guard state.total < totalMax else { return .total }
            guard let address, state.byAddress[address, default: 0] >= perAddressMax else { return nil }
            return .address
        }
    }

    /// Takes a slot in the total.
    func enter() -> Refusal? {
        state.withLock { state in
            guard state.total < totalMax else { return .total }
            state.total += 1
            return nil
        }
    }

    func leave() {
        state.withLock { $0.total -= 1 }
    }

    /// Takes a slot of an address.
    func enter(_ address: String) -> Refusal? {
        state.withLock { state in
            guard state.byAddress[address, default: 0] < perAddressMax else { return .address }
            state.byAddress[address, default: 0] += 1
            return nil
        }
    }

    /// Takes the slot of a connection of the address that is about to leave.
    func replaceOne(_ address: String) {
        state.withLock { $0.byAddress[address, default: 0] += 1 }
    }

    func leave(_ address: String) {
        state.withLock { state in
            guard let count = state.byAddress[address] else { return }
            state.byAddress[address] = count > 1 ? count - 1 : nil
        }
    }
}
