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
        "Where files lie, on a local disk, or for several nodes in a folder that they share; not with `memory`. "
            + "Without it: beside the SQLite file, with `-files` at its end; with `memory`, in a folder that goes with "
            + "the process; with PostgreSQL there are no files.")
    package static let filesBytesMax = integer(
        "files.bytesMax", default: Int(clamping: FileQuotas().fileBytesMax), 1...1_000_000_000_000,
        "Bytes of one file; no more than a user and a tenant may have.")
    package static let filesUserBytesMax = integer(
        "files.userBytesMax", default: Int(clamping: FileQuotas().userBytesMax), 1...1_000_000_000_000_000,
        "Bytes of all files of a user.")
    package static let filesTenantBytesMax = integer(
        "files.tenantBytesMax", default: Int(clamping: FileQuotas().tenantBytesMax), 1...1_000_000_000_000_000,
        "Bytes of all files of a tenant.")
    package static let filesUserUploadsMax = integer(
        "files.userUploadsMax", default: FileQuotas().userUploadsMax, 1...10_000,
        "Uploads of a user that are begun and not finished.")
    package static let filesUploadHours = integer(
        "files.uploadHours", default: 24, 1...8_760, "Hours that an upload is kept that nobody goes on with.")
    package static let filesUnusedDays = integer(
        "files.unusedDays", default: 30, 0...36_500,
        "Days that a file is kept that no message holds; 0 is until somebody deletes it.")
    package static let filesDownloadsMax = integer(
        "files.downloadsMax", default: FilesConfiguration.Downloads().max, 1...100_000,
        "Downloads at a time, each with an open file. As they fill, nobody may have more than are still free.")
    package static let filesUserDownloadsMax = integer(
        "files.userDownloadsMax", default: FilesConfiguration.Downloads().perUserMax, 1...100_000,
        "Of those, downloads of one user.")
    package static let filesAddressDownloadsMax = integer(
        "files.addressDownloadsMax", default: FilesConfiguration.Downloads().perAddressMax, 1...100_000,
        "Of those, downloads from one address (IPv6: from one /64 network), by links as well.")
    package static let filesDownloadStallMs = integer(
        "files.downloadStallMs", default: 120_000, 1_000...3_600_000,
        "How long a client may take for 64 KiB of a download, after which it is cut.")
    package static let filesURLKey = secret(
        "files.urlKey", bytesMin: FileURLSigner.keyBytesMin,
        "What links to files are signed with, the same on all nodes; without one they end with the process. Prefer "
            + "`files.urlKeyFile`.")
    package static let filesURLKeyFile = path(
        "files.urlKeyFile", "A file with that key; line ends after it are left out.")
    package static let filesURLSeconds = integer(
        "files.urlSeconds", default: 3_600, 1...604_800, "How long a link to a file is good, in seconds.")
}
