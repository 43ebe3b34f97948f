/// A user as others see it. An object, because all messages of a session share it.
public final class Member: Hashable, Sendable {
    public let user: UserID
    /// The name that others see; the user's id if there is no other.
    public let name: String
    /// Whether the name differs from the id.
    package let isNamed: Bool

    /// - Parameters:
    ///   - user: the user's id.
    ///   - name: the name that others see, not checked; `nil` for the id.
    public init(user: UserID, name: String? = nil) {
        self.user = user
        self.name = name ?? user.value
        isNamed = self.name != user.value
    }

    public static func == (left: Member, right: Member) -> Bool {
        left === right || (left.user == right.user && left.name == right.name)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(user)
        hasher.combine(name)
    }
}
