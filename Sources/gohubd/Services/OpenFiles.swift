internal import GoHubConfiguration
internal import GoHubCore
internal import GoHubPreviews
internal import GoHubStore
internal import Logging
internal import ServiceLifecycle

/// The daemon's file store.
struct OpenFiles: Sendable {
    let store: DiskFileStore
    let path: String
    let errors: FileErrorLog
    private let folder: TemporaryFolder?
    /// The PostgreSQL catalog has its own connection, which must be closed.
    private let catalog: PostgresFileCatalog?
    /// `nil` makes no previews.
    private let previews: ImagePreviewer?

    /// - Returns: `nil` when files are off.
    /// - Throws: `ConfigurationError` for a folder that is incompatible with the store, `StartError` for one that can't
    ///   be used.
    init?(
        _ configuration: FilesConfiguration, _ previews: PreviewsConfiguration, beside messages: OpenStore,
        logger: Logger
    ) async throws {
        var folder: TemporaryFolder?
        switch try configuration.location(beside: messages.location) {
        case .none: return nil
        case .temporary:
            let made = try TemporaryFolder()
            folder = made
            path = made.path
        case .folder(let path): self.path = path
        }
        self.folder = folder
        var options = configuration.options
        let errors = FileErrorLog { logger.error("files: \($0)") }
        self.errors = errors
        options.report = { errors.report($0) }
        let previewer: ImagePreviewer?
        do {
            previewer = try ImagePreviewer.start(previews, logger: logger)
        } catch {
            folder?.remove()
            throw error
        }
        self.previews = previewer
        options.previews = previewer
        do throws(StoreError) {
            let catalogs = try messages.fileCatalog(logger)
            catalog = catalogs.connected
            store = try DiskFileStore(path: path, catalog: catalogs.catalog, options: options)
        } catch {
            folder?.remove()
            await previewer?.shutDown()
            throw StartError(
                "Cannot open the file store \(error.logText) Set files.path to another folder, or files.enabled to false.",
                underlying: error)
        }
    }

    var isReady: Bool { catalog?.isReady ?? true }

    /// Called before the message store is closed, whose file may contain the catalog.
    func close() async {
        await previews?.shutDown()
        await store.close()
        await catalog?.close()
        removeTemporary()
    }

    /// Removes the temporary folder.
    func removeTemporary() {
        folder?.remove()
    }
}

/// Cleans up the files every few minutes.
struct FileKeeper: Service {
    private static let interval = Duration.seconds(600)

    let store: DiskFileStore

    func run() async throws {
        await cancelWhenGracefulShutdown {
            repeat { await store.tidy() } while (try? await Task.sleep(for: Self.interval)) != nil
        }
    }
}
