import Testing

@testable import GoHubRedis

struct RepeatedReportsTests {
    private let refused = RedisError(.unreachable, "refused")
    private let late = RedisError(.timeout, "late")

    @Test func eachReasonIsReportedOnceBetweenTwoLinks() {
        var reports = RepeatedReports()
        let server = RedisServer(role: .primary)
        #expect(isNews(.failed(refused), &reports) == true)
        #expect(isNews(.failed(refused), &reports) == false)
        #expect(isNews(.failed(late), &reports) == true)
        #expect(isNews(.failed(refused), &reports) == false)
        #expect(isNews(.sentinelFailed(.of("a"), refused), &reports) == true)
        #expect(isNews(.sentinelFailed(.of("b"), refused), &reports) == true)
        #expect(isNews(.sentinelFailed(.of("a"), refused), &reports) == false)
        #expect(isNews(.connected(.of("a"), server), &reports) == true)
        #expect(isNews(.failed(refused), &reports) == true)
    }

    @Test func everyLossIsReportedAndItsReasonNotAgain() {
        var reports = RepeatedReports()
        #expect(isNews(.lost(late), &reports) == true)
        #expect(isNews(.failed(late), &reports) == false)
        #expect(isNews(.failed(refused), &reports) == true)
        #expect(isNews(.lost(late), &reports) == true)
        #expect(isNews(.failed(refused), &reports) == true)
    }

    @Test func manyReasonsAreBounded() {
        var reports = RepeatedReports()
        var news = 0
        for number in 0..<100 where reports.isNews(.failed(RedisError(.refused, "\(number)"))) { news += 1 }
        #expect(news == 32)
    }

    private func isNews(_ report: RedisBusReport, _ reports: inout RepeatedReports) -> Bool { reports.isNews(report) }
}
