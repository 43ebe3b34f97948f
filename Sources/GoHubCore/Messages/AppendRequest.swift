/// A message or change request on its way to a room. An immutable object, because it passes from the edge to the room's
/// owner, to the store and back.
package final class AppendRequest: Equatable, Sendable {
    package let requester: Requester
    package let draft: MessageDraft
    package let isEphemeral: Bool

    package init(requester: Requester, draft: MessageDraft, isEphemeral: Bool = false) {
        self.requester = requester
        self.draft = draft
        self.isEphemeral = isEphemeral
    }

    package static func == (left: AppendRequest, right: AppendRequest) -> Bool {
        left === right
            || (left.requester == right.requester && left.draft == right.draft && left.isEphemeral == right.isEphemeral)
    }
}
