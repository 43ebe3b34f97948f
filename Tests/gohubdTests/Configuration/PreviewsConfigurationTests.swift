import GoHubCore
import GoHubStore
import GoHubPreviewExchange
import GoHubTestSupport
import Testing

@testable import GoHubConfiguration
@testable import GoHubPreviews
@testable import gohubd

extension PreviewsConfiguration {
    fileprivate static func make(
        _ change: (inout PreviewsConfiguration) -> Void = { _ in }
    ) throws -> PreviewsConfiguration {
        var configuration = try PreviewsConfiguration(.make())
        change(&configuration)
        return configuration
    }
}

@Suite struct PreviewsConfigurationTests {
    private func values(_ settings: [(String, String)]) throws -> ConfigurationValues {
        try ConfigurationValues(
            file: nil, environment: [:], commandLine: settings.map { .init(key: $0.0, value: $0.1) })
    }

    @Test func everyKeyArrives() throws {
        let configuration = try PreviewsConfiguration(
            values([
                ("previews.enabled", "false"), ("previews.helper", "/opt/helper"), ("previews.pixelsMax", "1000"),
                ("previews.deadlineMs", "2500"), ("previews.memoryBytesMax", "200000000"),
                ("previews.processesMax", "3"), ("previews.waitingMax", "4"), ("previews.userWaitingMax", "2"),
            ]))
        #expect(!configuration.isEnabled)
        #expect(configuration.helper == "/opt/helper")
        #expect([configuration.processesMax, configuration.waitingMax, configuration.userWaitingMax] == [3, 4, 2])
        let order = PreviewSettings(configuration).order(for: .gif)
        #expect(order.arguments == ["gif", "1000", "200000000", "3"])
    }

    @Test func defaultsAreThoseOfTheLibrary() throws {
        #expect(PreviewSettings(try .make()) == PreviewSettings())
    }

    @Test func allowedImageMustFitMemory() throws {
        _ = try PreviewsConfiguration(values([]))
        let error = #expect(throws: ConfigurationError.self) {
            try PreviewsConfiguration(values([("previews.pixelsMax", "100000000")]))
        }
        #expect(
            error?.description
                == "previews.memoryBytesMax (536870912) must be at least 900663296 for images of previews.pixelsMax "
                + "(100000000) pixels.")
        // Settings of disabled previews are not checked.
        _ = try PreviewsConfiguration(
            values([("previews.pixelsMax", "100000000"), ("previews.enabled", "false")]))
    }

    // MARK: The program

    @Test func missingHelperTurnsPreviewsOff() throws {
        let log = Lines()
        let configuration = try PreviewsConfiguration.make { $0.helper = "/nowhere/helper" }
        let previewer = try ImagePreviewer.start(configuration, logger: log.logger)
        #expect(previewer == nil)
        #expect(log.all.count == 1)
        #expect(log.all.first?.contains("Image previews are off: there is no program at /nowhere/helper") == true)
        #expect(log.all.first?.contains("Correct previews.helper") == true)
    }

    @Test func invalidHelperFailsCheck() throws {
        let files = try TemporaryFiles()
        for path in ["/nowhere/helper", try files.write("text", ""), files.directory] {
            let log = Lines()
            #expect(PreviewHelper.locate(configured: path, logger: log.logger) == nil)
            #expect(log.all.first?.contains("there is no program at \(path)") == true)
            let error = #expect(throws: ConfigurationError.self) {
                try PreviewHelper.check(.make { $0.helper = path })
            }
            #expect(error?.description.hasPrefix("previews.helper: there is no program at \(path)") == true)
            try PreviewHelper.check(
                .make {
                    $0.helper = path
                    $0.isEnabled = false
                })
        }
        try PreviewHelper.check(.make { $0.helper = "/bin/sh" })
        try PreviewHelper.check(.make())
    }

    @Test func disabledPreviewsNeedNoHelper() throws {
        let log = Lines()
        let configuration = try PreviewsConfiguration.make {
            $0.isEnabled = false
            $0.helper = "/nowhere/helper"
        }
        let previewer = try ImagePreviewer.start(configuration, logger: log.logger)
        #expect(previewer == nil)
        #expect(log.all == [])
    }

    @Test func configuredHelperIsUsed() throws {
        let path = "/bin/sh"
        #expect(PreviewHelper.locate(configured: path, logger: Lines().logger) == path)
    }
}
