/// A session's credentials, and their expiry by the hub's clock.
struct VerifiedCredentials: Sendable {
    let credentials: Credentials
    let expiresAt: MonotonicTime?

    init(_ credentials: Credentials, now: MonotonicTime, at wallTime: WallTime) {
        self.credentials = credentials
        expiresAt = credentials.expiresAt.map { expiry in
            let left = UInt64(clamping: expiry.milliseconds - min(expiry.milliseconds, wallTime.milliseconds))
            return now + Milliseconds(left)
        }
    }
}

/// The user and permissions of a session from its registration on; a refresh replaces it. An object, so that every
/// command takes only a pointer to it.
final class Identity: Sendable {
    let credentials: Credentials
    /// The user as shown to others.
    let member: Member
    let device: DeviceID
    let expiresAt: MonotonicTime?

    init(_ verified: VerifiedCredentials, on device: DeviceID) {
        credentials = verified.credentials
        member = Member(user: verified.credentials.user, name: verified.credentials.name)
        self.device = device
        expiresAt = verified.expiresAt
    }

    var sessionKey: SessionKey { SessionKey(user: credentials.userKey, device: device) }
}
