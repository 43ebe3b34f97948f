// The values that several kinds of messages have, written and read side by side.
//
// Numbers are bounded where the hub calculates with them: nothing that a peer sends may overflow.

extension FrameWriter {
    mutating func member(_ member: Member) {
        text(member.user.value)
        optional(member.isNamed ? member.name : nil) { $0.text($1) }
    }

    mutating func userKey(_ key: UserKey) {
        text(key.tenant.value)
        text(key.user.value)
    }

    mutating func room(_ room: RoomID) {
        text(room.tenant.value)
        text(room.name.value)
    }

    mutating func stamp(_ stamp: ClaimStamp) {
        fixed(stamp.time.value)
        fixed(stamp.node.value)
    }

    mutating func receipts(_ epoch: Epoch, _ receipts: [UserReceipt]) {
        text(epoch.value)
        list(receipts) { writer, receipt in
            writer.text(receipt.user.value)
            writer.number(receipt.receipt.delivered)
            writer.number(receipt.receipt.seen)
        }
    }
}

extension FrameReader {
    mutating func member() throws(FrameError) -> Member {
        let user = try user()
        let bytesMax = nameBytesMax
        let name = try optional { (reader) throws(FrameError) in try reader.text(bytesMax: bytesMax) }
        return Member(user: user, name: name)
    }

    mutating func user() throws(FrameError) -> UserID { try named(bytesMax: UserID.bytesMax) { UserID($0) } }

    mutating func tenant() throws(FrameError) -> TenantID { try named(bytesMax: 64) { TenantID($0) } }

    mutating func device() throws(FrameError) -> DeviceID { try named(bytesMax: 64) { DeviceID($0) } }

    mutating func commandID() throws(FrameError) -> CommandID { try named(bytesMax: 64) { CommandID($0) } }

    mutating func roomName() throws(FrameError) -> RoomName { try named(bytesMax: 1024) { RoomName($0) } }

    mutating func userKey() throws(FrameError) -> UserKey { UserKey(tenant: try tenant(), user: try user()) }

    mutating func room() throws(FrameError) -> RoomID { RoomID(tenant: try tenant(), name: try roomName()) }

    mutating func epoch() throws(FrameError) -> Epoch { Epoch(try text(bytesMax: 64)) }

    /// At most what a database's 64-bit column holds: the next one can be counted.
    mutating func offset() throws(FrameError) -> Offset { UInt64(try count(max: .max - 1)) }

    mutating func incarnation() throws(FrameError) -> NodeIncarnation {
        guard let incarnation = NodeIncarnation(try fixed()) else { throw .malformed }
        return incarnation
    }

    mutating func hybridTime() throws(FrameError) -> HybridTime {
        let time = HybridTime(value: try fixed())
        guard time <= .max else { throw .malformed }
        return time
    }

    mutating func stamp() throws(FrameError) -> ClaimStamp { ClaimStamp(try hybridTime(), try incarnation()) }

    mutating func presenceVersion() throws(FrameError) -> PresenceVersion {
        let version = try number()
        guard version <= HybridTime.max.value else { throw .malformed }
        return version
    }

    /// At most 35 years.
    mutating func duration() throws(FrameError) -> Milliseconds { Milliseconds(UInt64(try count(max: 1 << 40))) }

    /// Within what a client's numbers hold exactly.
    mutating func wallTime() throws(FrameError) -> WallTime {
        let milliseconds = try signed()
        guard milliseconds.magnitude <= 1 << 53 else { throw .malformed }
        return WallTime(milliseconds: milliseconds)
    }

    mutating func receipts() throws(FrameError) -> (Epoch, [UserReceipt]) {
        let epoch = try epoch()
        let receipts = try list { (reader) throws(FrameError) in
            let user = try reader.user()
            let delivered = try reader.offset()
            let seen = try reader.offset()
            guard seen <= delivered else { throw .malformed }
            return UserReceipt(user: user, Receipt(delivered: delivered, seen: seen))
        }
        return (epoch, receipts)
    }
}
