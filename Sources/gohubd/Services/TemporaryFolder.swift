internal import Glibc
internal import GoHubSystem

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A folder for files that goes with the process.
final class TemporaryFolder: Sendable {
    private let folder: LockedFolder

    /// - Throws: `StartError` when none can be created.
    init(in parent: String = PrivateSocket.parent()) throws(StartError) {
        do throws(SystemError) {
            folder = try LockedFolder(in: parent, prefix: "gohubd-files-\(geteuid())-") { _, dead in
                try? FileManager.default.removeItem(atPath: dead)
            }
        } catch {
            throw StartError(
                "Cannot create a folder for files in \(parent) (\(error)). Set files.path, or set TMPDIR to a directory "
                    + "that this user can write to.",
                underlying: error)
        }
    }

    var path: String { folder.path }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }
}
