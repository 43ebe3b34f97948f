package import GoHubCore
package import GoHubStore

/// The place and the limits of rooms' files.
package struct FilesConfiguration: Sendable {
    /// The place of the bytes.
    package enum Place: Hashable, Sendable {
        /// The path of a folder.
        case folder(String)
        /// Lost with the process, like messages in memory.
        case temporary
        /// Files are off.
        case none
    }

    /// Limits on concurrent downloads, with the defaults of `DownloadSlots.Bounds`, which isn't linked here.
    package struct Downloads: Hashable, Sendable {
        /// The maximum in total.
        package var max = 256
        /// The maximum of one user.
        package var perUserMax = 16
        /// The maximum from one address.
        package var perAddressMax = 64
    }

    private let isEnabled: Bool
    private let path: String?
    /// Quotas, expiry and readers; previews are not set here.
    package var options: DiskFileStore.Options
    /// The key that signs links; `nil` makes one for the process.
    package var urlKey: SecretSource?
    /// The time for which a link to a file is valid.
    package var urlsExpireAfter: Milliseconds
    package let downloads: Downloads
    /// The time limit of a client for a piece of a download.
    package let downloadStall: Milliseconds

    /// Bytes of one file; at most the quotas of a user and of a tenant.
    package var fileBytesMax: UInt64 { options.quotas.fileBytesMax }

    /// - Throws: `ConfigurationError` when the key is given twice, or the bounds contradict each other. Reads no file.
    package init(_ values: ConfigurationValues) throws(ConfigurationError) {
        isEnabled = values.flag(.filesEnabled)
        path = values.text(.filesPath)
        options = DiskFileStore.Options()
        options.quotas = FileQuotas(
            fileBytesMax: UInt64(clamping: values.integer(.filesBytesMax)),
            userBytesMax: UInt64(clamping: values.integer(.filesUserBytesMax)),
            tenantBytesMax: UInt64(clamping: values.integer(.filesTenantBytesMax)),
            userUploadsMax: values.integer(.filesUserUploadsMax))
        options.uploadsExpireAfter = .seconds(UInt64(clamping: values.integer(.filesUploadHours)) * 3600)
        let days = values.integer(.filesUnusedDays)
        options.unusedKeptFor = days == 0 ? nil : .seconds(UInt64(clamping: days) * 24 * 3600)
        urlKey = try SecretSource(values, secret: .filesURLKey, file: .filesURLKeyFile)
        urlsExpireAfter = .seconds(UInt64(clamping: values.integer(.filesURLSeconds)))
        downloads = Downloads(
            max: values.integer(.filesDownloadsMax), perUserMax: values.integer(.filesUserDownloadsMax),
            perAddressMax: values.integer(.filesAddressDownloadsMax))
        options.readersMax = downloads.max
        downloadStall = values.milliseconds(.filesDownloadStallMs)
        try checkQuotas(values)
    }

    /// A file of the allowed size must fit the quotas.
    private func checkQuotas(_ values: ConfigurationValues) throws(ConfigurationError) {
        guard isEnabled else { return }
        let fileBytesMax = values.integer(.filesBytesMax)
        let problems = [ConfigurationKey.filesUserBytesMax, .filesTenantBytesMax].compactMap { quota -> String? in
            let bytesMax = values.integer(quota)
            guard fileBytesMax > bytesMax else { return nil }
            return "files.bytesMax (\(fileBytesMax)) must not be more than \(quota.name) (\(bytesMax))."
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
    }

    /// - Parameter store: the place of the messages.
    /// - Throws: `ConfigurationError` for a folder that would outlive the records of its files.
    package func location(beside store: StoreLocation) throws(ConfigurationError) -> Place {
        guard isEnabled else { return .none }
        switch (path, store) {
        case (nil, .memory): return .temporary
        // The next start would know none of its files, and cleanup removes unknown files.
        case (_?, .memory):
            throw ConfigurationError(
                "files.path is set, but the memory store loses its list of files when the process ends. Use another "
                    + "store, or remove files.path.")
        case (let path?, _): return .folder(path)
        case (nil, .sqlite(let path)): return .folder(path + "-files")
        // No folder of one machine is right for several nodes.
        case (nil, .postgres): return .none
        }
    }

    /// The signer of file links.
    package func signer() throws(ConfigurationError) -> FileURLSigner {
        guard let urlKey else { return FileURLSigner() }
        guard let signer = FileURLSigner(key: try urlKey.read(bytesMin: FileURLSigner.keyBytesMin)) else {
            throw ConfigurationError("\(urlKey) must have at least \(FileURLSigner.keyBytesMin) bytes.")
        }
        return signer
    }
}
