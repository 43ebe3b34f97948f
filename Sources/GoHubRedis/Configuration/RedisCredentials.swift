/// Who the hub is for a server. Never prints the password.
package struct RedisCredentials: Hashable, Sendable {
    /// The user of an ACL; `nil` for the default user, as before Redis 6.
    package let user: String?
    package let password: String

    package init(user: String?, password: String) {
        self.user = user
        self.password = password
    }
}

extension RedisCredentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "\(user ?? "default") (<redacted>)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
