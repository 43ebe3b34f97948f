import Glibc
import GoHubCore
import GoHubStore
import Testing

@testable import GoHubConfiguration
@testable import gohubd

@Suite struct FilesConfigurationTests {
    @Test func filesPathHasADefault() throws {
        let standard = try DaemonConfiguration.make([:]).files
        #expect(try standard.location(beside: .memory) == .temporary)
        #expect(try standard.location(beside: .sqlite(path: "/a/b.sqlite")) == .folder("/a/b.sqlite-files"))
        #expect(try standard.location(beside: .postgres(url: "postgres://h/d")) == .none)
        let set = try DaemonConfiguration.make(["files.path": "/f"]).files
        for store in [StoreLocation.sqlite(path: "x"), .postgres(url: "y")] {
            #expect(try set.location(beside: store) == .folder("/f"))
        }
        // At its next start such a hub would know none of the files, and remove them.
        #expect(throws: ConfigurationError.self) { try set.location(beside: .memory) }
        let off = try DaemonConfiguration.make(["files.path": "/f", "files.enabled": "false"]).files
        #expect(try off.location(beside: .memory) == .none)
    }

    @Test func filesPathNeedsDurableStore() async throws {
        let configuration = try DaemonConfiguration.make(["files.path": "/f", "store": "memory"])
        let error = await #expect(throws: ConfigurationError.self) { try await Assembly.check(configuration) }
        #expect(error?.description.hasPrefix("files.path is set, but the memory store loses") == true)
    }

    @Test func fileLimitMustFitQuotas() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try DaemonConfiguration.make([
                "files.bytesMax": "1001", "files.userBytesMax": "1000", "files.tenantBytesMax": "999",
            ])
        }
        #expect(
            error?.problems == [
                "files.bytesMax (1001) must not be more than files.userBytesMax (1000).",
                "files.bytesMax (1001) must not be more than files.tenantBytesMax (999).",
            ])
        _ = try DaemonConfiguration.make(["files.bytesMax": "1000", "files.userBytesMax": "1000"])
        // Settings of disabled files are not checked.
        _ = try DaemonConfiguration.make(["files.userBytesMax": "1", "files.enabled": "false"])
    }

    @Test func theBoundsOfDownloadsArrive() throws {
        let files = try DaemonConfiguration.make([
            "files.downloadsMax": "8", "files.userDownloadsMax": "2", "files.addressDownloadsMax": "3",
            "files.downloadStallMs": "1500",
        ]).files
        #expect([files.downloads.max, files.downloads.perUserMax, files.downloads.perAddressMax] == [8, 2, 3])
        #expect(files.options.readersMax == 8 && files.downloadStall == 1500)
    }

    @Test func unusedFilesAreKeptUnlessTheOperatorSaysOtherwise() throws {
        #expect(try DaemonConfiguration.make([:]).files.options.unusedKeptFor == .seconds(30 * 86_400))
        #expect(try DaemonConfiguration.make(["files.unusedDays": "0"]).files.options.unusedKeptFor == nil)
        let days = try DaemonConfiguration.make(["files.unusedDays": "2", "files.uploadHours": "3"]).files
        #expect(days.options.unusedKeptFor == .seconds(172_800))
        #expect(days.options.uploadsExpireAfter == .seconds(10_800))
    }

    @Test func linksAreSignedWithTheConfiguredKey() throws {
        let key = "0123456789abcdef0123456789abcdef"
        let files = try TemporaryFiles()
        let path = try files.write("key", key + "\n")
        let file = FileID.random()
        let text = try DaemonConfiguration.make(environment: ["GOHUB_FILES_URL_KEY": key], [:]).files.signer()
        let same = try DaemonConfiguration.make(["files.urlKeyFile": path]).files.signer()
        let none = try DaemonConfiguration.make([:]).files.signer()
        let signature = text.sign(file, in: .standard, expiresAt: .max)
        #expect(same.isValid(signature, of: file, in: .standard, now: .now()))
        #expect(!none.isValid(signature, of: file, in: .standard, now: .now()))
        #expect(throws: ConfigurationError.self) {
            try DaemonConfiguration.make(environment: ["GOHUB_FILES_URL_KEY": key], ["files.urlKeyFile": path])
        }
        let short = try files.write("short", "0123")
        #expect(throws: ConfigurationError.self) {
            try DaemonConfiguration.make(["files.urlKeyFile": short]).files.signer()
        }
    }

    @Test func temporaryFolderOfDeadProcessIsRemoved() throws {
        let parent = try TemporaryFiles()
        let alive = try TemporaryFolder(in: parent.directory)
        // As after a kill: no process has its lock.
        let dead = "\(parent.directory)/gohubd-files-\(geteuid())-dead00"
        #expect(mkdir(dead, 0o700) == 0 && mkdir(dead + "/uploads", 0o700) == 0)
        let others = "\(parent.directory)/gohubd-files-x"
        #expect(mkdir(others, 0o700) == 0)
        // Has the name, but was not made by a hub: others may enter it.
        let loose = "\(parent.directory)/gohubd-files-\(geteuid())-loose0"
        #expect(mkdir(loose, 0o700) == 0 && chmod(loose, 0o755) == 0)
        let next = try TemporaryFolder(in: parent.directory)
        #expect(access(dead, F_OK) != 0)
        #expect(access(alive.path, F_OK) == 0 && access(next.path, F_OK) == 0 && access(others, F_OK) == 0)
        #expect(access(loose, F_OK) == 0)
        next.remove()
        alive.remove()
        #expect(access(alive.path, F_OK) != 0 && access(next.path, F_OK) != 0)
        rmdir(others)
        rmdir(loose)
    }
}
