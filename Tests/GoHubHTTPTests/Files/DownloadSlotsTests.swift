import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubHTTP

/// Who gets a download slot.
@Suite struct DownloadSlotsTests {
    private typealias Place = DownloadSlots.Place

    private func user(_ name: String) -> UserKey { UserKey(tenant: .standard, user: .named(name)) }

    private func slots(_ max: Int, user: Int = 100, address: Int = 100) -> DownloadSlots {
        DownloadSlots(.init(max: max, perUserMax: user, perAddressMax: address))
    }

    /// Takes as many slots as possible.
    ///
    /// - Returns: the slots, and the reason why there is no other.
    private func takeAll(
        _ slots: DownloadSlots, user: UserKey? = nil, address: String? = nil
    ) -> (held: [Place], refusal: FileError.Code) {
        var held: [Place] = []
        while true {
            do throws(FileError) {
                held.append(try slots.take(user: user, address: address))
            } catch {
                return (held, error.code)
            }
        }
    }

    @Test func downloadsPerUserAreLimited() throws {
        let slots = slots(256, user: 16, address: 64)
        var held: [Place] = []
        for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"] {
            let taken = takeAll(slots, user: user("alice"), address: address)
            held += taken.held
            #expect(taken.refusal == .downloadsQuota)
        }
        #expect(held.count == 16)
        // Another user's from one of those addresses, and a link.
        held.append(try slots.take(user: user("bob"), address: "192.0.2.1"))
        held.append(try slots.take(user: nil, address: "192.0.2.1"))
        // The same user id in another tenant is another user.
        let other = UserKey(tenant: .named("elsewhere"), user: .named("alice"))
        held.append(try slots.take(user: other, address: "192.0.2.6"))
        #expect(held.count == 19)
    }

    @Test func linksCountByTheirAddress() {
        let slots = slots(256, user: 16, address: 64)
        let one = takeAll(slots, address: "192.0.2.1")
        #expect(one.held.count == 64 && one.refusal == .downloadsQuota)
        let users = takeAll(slots, user: user("alice"), address: "192.0.2.1")
        #expect(users.held.isEmpty)
        #expect(takeAll(slots, user: user("alice"), address: "192.0.2.2").held.count == 16)
        withExtendedLifetime(one) {}
    }

    /// Each address gets at most half of the free slots, so that some are left for the next.
    @Test func sharesShrinkAsSlotsFill() {
        let slots = slots(256, user: 16, address: 64)
        let shares = (1...20).map { takeAll(slots, address: "192.0.2.\($0)") }
        #expect(shares.map(\.held.count).prefix(11) == [64, 64, 64, 32, 16, 8, 4, 2, 1, 1, 0])
        #expect(shares.filter(\.held.isEmpty).map(\.refusal).allSatisfy { $0 == .busy })
        #expect(shares.map(\.held.count).reduce(0, +) == 256)
    }

    @Test func slotIsFreedOnRelease() throws {
        let slots = slots(2, user: 1, address: 2)
        var first: Place? = try slots.take(user: user("alice"), address: "192.0.2.1")
        #expect(throws: FileError.downloadsQuota) { try slots.take(user: user("alice"), address: "192.0.2.2") }
        let second = try slots.take(user: user("bob"), address: "192.0.2.2")
        #expect(throws: FileError.busy) { try slots.take(user: user("carol"), address: "192.0.2.3") }
        withExtendedLifetime(first) {}
        first = nil
        let again = try slots.take(user: user("alice"), address: "192.0.2.1")
        withExtendedLifetime([second, again]) {}
    }
}
