import GoHubCore
import GoHubStore
import GoHubTestSupport
import Testing

struct InMemoryFileCatalogTests {
    @Test(arguments: FileCatalogContract.checks)
    func keepsTheContract(_ check: FileCatalogContract) async throws {
        try await check.run(on: InMemoryFileCatalog())
    }

    /// As the files of a message store in memory.
    @Test(arguments: MessageStoreContract.fileChecks)
    func holdsTheFilesOfMessages(_ check: MessageStoreContract) async {
        let files = InMemoryFileCatalog()
        await check.run(on: InMemoryMessageStore(seed: 1, files: files), files: CatalogFiles(files))
    }
}
