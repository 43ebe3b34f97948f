internal import Glibc
internal import GoHubCore

extension StoreError.Code {
    /// - Parameter systemCode: an `errno`.
    init(systemCode: Int32) {
        self =
            switch systemCode {
            case EACCES, EPERM, EROFS: .denied
            case ENOSPC, EDQUOT: .full
            case ENOENT, ENOTDIR, EISDIR: .incompatible
            case EIO: .inputOutput
            default: .unavailable
            }
    }
}
