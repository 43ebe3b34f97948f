/// A message that somebody wants in a room. An object, since it is handed on from the edge to the room's owner, to the
/// store and back, and never changes.
public final class Publication: Equatable, Sendable {
    public let requester: Requester
    public let draft: MessageDraft
    public let isEphemeral: Bool

    public init(requester: Requester, draft: MessageDraft, isEphemeral: Bool = false) {
        self.requester = requester
        self.draft = draft
        self.isEphemeral = isEphemeral
    }

    public static func == (left: Publication, right: Publication) -> Bool {
        left === right
            || (left.requester == right.requester && left.draft == right.draft && left.isEphemeral == right.isEphemeral)
    }
}
