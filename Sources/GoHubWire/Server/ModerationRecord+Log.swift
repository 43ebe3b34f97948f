internal import GoHubCore
internal import Logging

extension Sanction.Record {
    /// Writes the audit line. User ids are quoted, because they may contain spaces and `=`; they can't contain control
    /// characters.
    func log(to logger: Logger) {
        var metadata: Logger.Metadata = [
            "action": "\(sanction.kind.name)", "tenant": "\(room.tenant)", "room": "\(room.name)",
            "user": "\(sanction.user.value.debugDescription)", "by": "\(sanction.by.user.value.debugDescription)",
            "through": isByService ? "server API" : "a moderator's session",
        ]
        switch sanction.kind {
        case .mute(let minutes), .ban(let minutes): metadata["minutes"] = "\(minutes)"
        case .kick, .pardon: break
        }
        logger.notice("moderation", metadata: metadata)
    }
}

extension Sanction.Kind {
    fileprivate var name: String {
        switch self {
        case .kick: "kick"
        case .mute: "mute"
        case .ban: "ban"
        case .pardon: "pardon"
        }
    }
}
