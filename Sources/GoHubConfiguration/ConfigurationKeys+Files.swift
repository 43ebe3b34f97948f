internal import GoHubCore
internal import GoHubStore

/// The settings of rooms' files.
extension ConfigurationKey {
    package static let files: [ConfigurationKey] = [
        filesEnabled, filesPath, filesBytesMax, filesUserBytesMax, filesTenantBytesMax, filesUserUploadsMax,
        filesUploadHours, filesUnusedDays, filesDownloadsMax, filesUserDownloadsMax, filesAddressDownloadsMax,
        filesDownloadStallMs, filesURLKey, filesURLKeyFile, filesURLSeconds,
    ]

    package static let filesEnabled = flag("files.enabled", default: true, "Whether rooms have files.")
    package static let filesPath = text(
        "files.path", allowed: "the path of a folder",
        "The folder of the file store: on a local disk, or shared by several nodes. Not with the `memory` store. "
            + "Default: beside the SQLite file, with the suffix `-files`; with `memory`, a temporary folder; with "
            + "PostgreSQL, files are off.")
    package static let filesBytesMax = integer(
        "files.bytesMax", default: Int(clamping: FileQuotas().fileBytesMax), 1...1_000_000_000_000,
        "Bytes of one file. At most the quotas of a user and a tenant.")
    package static let filesUserBytesMax = integer(
        "files.userBytesMax", default: Int(clamping: FileQuotas().userBytesMax), 1...1_000_000_000_000_000,
        "Bytes of all files of a user.")
    package static let filesTenantBytesMax = integer(
        "files.tenantBytesMax", default: Int(clamping: FileQuotas().tenantBytesMax), 1...1_000_000_000_000_000,
        "Bytes of all files of a tenant.")
    package static let filesUserUploadsMax = integer(
        "files.userUploadsMax", default: FileQuotas().userUploadsMax, 1...10_000,
        "Unfinished uploads of a user.")
    package static let filesUploadHours = integer(
        "files.uploadHours", default: 24, 1...8_760, "Hours after which an upload without progress is removed.")
    package static let filesUnusedDays = integer(
        "files.unusedDays", default: 30, 0...36_500,
        "Days after which a file without a message is removed; 0 keeps it until it is deleted.")
    package static let filesDownloadsMax = integer(
        "files.downloadsMax", default: FilesConfiguration.Downloads().max, 1...100_000,
        "Concurrent downloads; each needs an open file. A user or an address can use no more slots than are free.")
    package static let filesUserDownloadsMax = integer(
        "files.userDownloadsMax", default: FilesConfiguration.Downloads().perUserMax, 1...100_000,
        "Concurrent downloads of one user.")
    package static let filesAddressDownloadsMax = integer(
        "files.addressDownloadsMax", default: FilesConfiguration.Downloads().perAddressMax, 1...100_000,
        "Concurrent downloads from one address (IPv6: from one /64 network), including downloads by link.")
    package static let filesDownloadStallMs = integer(
        "files.downloadStallMs", default: 120_000, 1_000...3_600_000,
        "The time limit for each 64 KiB of a download, after which it is aborted.")
    package static let filesURLKey = secret(
        "files.urlKey", bytesMin: FileURLSigner.keyBytesMin,
        "The key that signs file links, the same on all nodes. Without it, links end with the process. Prefer "
            + "`files.urlKeyFile`.")
    package static let filesURLKeyFile = path(
        "files.urlKeyFile", "A file with that key; trailing newlines are stripped.")
    package static let filesURLSeconds = integer(
        "files.urlSeconds", default: 3_600, 1...604_800, "The lifetime of a file link, in seconds.")
}
