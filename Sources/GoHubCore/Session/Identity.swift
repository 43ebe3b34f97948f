/// Credentials that a session was given, and when they end by the hub's clock.
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

/// Who a session speaks for, from its registration on; a refresh gives it another. An object, so that every command
/// takes a pointer to it.
final class Identity: Sendable {
    let credentials: Credentials
    /// The user, as others see them.
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
