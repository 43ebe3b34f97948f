/// The numbers of cases inside messages. Never used for another case.
enum FrameCase {
    // Questions and replies.
    static let rooms: UInt8 = 0
    static let remove: UInt8 = 1
    // Claims.
    static let new: UInt8 = 0
    static let again: UInt8 = 1
    // Moderation.
    static let kick: UInt8 = 0
    static let mute: UInt8 = 1
    static let ban: UInt8 = 2
    static let pardon: UInt8 = 3
    // Verdicts.
    static let free: UInt8 = 0
    static let clearing: UInt8 = 1
    static let outranked: UInt8 = 2
    static let holds: UInt8 = 3
    static let outlived: UInt8 = 4
}

extension FrameWriter {
    /// Writes a message's fields. What the topic says isn't repeated.
    mutating func message(_ message: ClusterMessage) {
        switch message {
        case .beat(let beat): self.beat(beat)
        case .bye, .returned, .presenceWanted, .sanctionsChanged: break
        case .ask(let number, let question):
            self.number(number)
            self.question(question)
        case .reply(let number, let reply):
            self.number(number)
            self.reply(reply)
        case .claimAnswered(let answer): self.answer(answer)
        case .presencePart(let room, let part):
            self.room(room)
            number(part.version)
            number(part.number)
            number(part.count)
            list(part.members) { $0.member($1) }
        case .presenceWantedOf(let room): self.room(room)
        case .entries(let entries): self.entries(entries)
        case .head(let position):
            text(position.epoch.value)
            number(position.offset)
        case .ephemeral(let content, let at):
            self.content(content)
            signed(at.milliseconds)
        case .typed(let user, let isActive):
            text(user.value)
            flag(isActive)
        case .receipts(let epoch, let receipts): self.receipts(epoch, receipts)
        case .presence(let update):
            optional(update.from) { $0.number($1) }
            number(update.to)
            list(update.joined) { $0.member($1) }
            list(update.left) { $0.text($1.value) }
            flag(update.isMove)
        case .presenceIs(let version): number(version)
        case .moderated(let sanction): self.sanction(sanction)
        case .inDoubt(let user, let id):
            text(user.value)
            text(id.value)
        case .claim(let claim):
            text(claim.key.device.value)
            stamp(claim.stamp)
            switch claim.kind {
            case .new: byte(FrameCase.new)
            case .again(let idle):
                byte(FrameCase.again)
                number(idle.value)
            }
        case .direct(let room, let entries):
            text(room.value)
            self.entries(entries)
        case .directEphemeral(let room, let content, let at):
            text(room.value)
            self.content(content)
            signed(at.milliseconds)
        case .directTyped(let room, let user, let isActive):
            text(room.value)
            text(user.value)
            flag(isActive)
        case .directReceipts(let room, let epoch, let receipts):
            text(room.value)
            self.receipts(epoch, receipts)
        }
    }

    private mutating func sanction(_ sanction: Sanction) {
        text(sanction.user.value)
        member(sanction.by)
        switch sanction.kind {
        case .kick: byte(FrameCase.kick)
        case .mute(let minutes):
            byte(FrameCase.mute)
            number(minutes)
        case .ban(let minutes):
            byte(FrameCase.ban)
            number(minutes)
        case .pardon: byte(FrameCase.pardon)
        }
    }

    private mutating func beat(_ beat: NodeBeat) {
        text(beat.name.value)
        flag(beat.status.isDraining)
        optional(beat.status.isBusHealthy) { $0.flag($1) }
        optional(beat.status.busID) { $0.text($1) }
        number(beat.sessions)
        number(beat.rooms)
        signed(beat.wall.milliseconds)
    }

    private mutating func question(_ question: ClusterQuestion) {
        switch question {
        case .rooms(let tenant):
            byte(FrameCase.rooms)
            text(tenant.value)
        case .remove(let key, let code):
            byte(FrameCase.remove)
            userKey(key)
            number(UInt64(code.rawValue))
        }
    }

    private mutating func reply(_ reply: ClusterReply) {
        switch reply {
        case .rooms(let rooms):
            byte(FrameCase.rooms)
            list(rooms) { $0.text($1.value) }
        case .removed(let sessions):
            byte(FrameCase.remove)
            number(sessions)
        }
    }

    private mutating func answer(_ answer: ClaimAnswer) {
        userKey(answer.key.user)
        text(answer.key.device.value)
        stamp(answer.claim)
        switch answer.verdict {
        case .free(let sessions):
            byte(FrameCase.free)
            number(sessions)
        case .clearing: byte(FrameCase.clearing)
        case .outranked(let by, let age):
            byte(FrameCase.outranked)
            stamp(by)
            number(age.value)
        case .holds(let stamp, let idle):
            byte(FrameCase.holds)
            self.stamp(stamp)
            number(idle.value)
        case .outlived: byte(FrameCase.outlived)
        }
    }
}
