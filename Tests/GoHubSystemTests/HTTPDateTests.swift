import GoHubSystem
import Testing

/// RFC 9110, section 5.6.7.
@Suite struct HTTPDateTests {
    @Test(
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"), (1_767_225_599, "Wed, 31 Dec 2025 23:59:59 GMT"),
            (1_772_323_200, "Sun, 01 Mar 2026 00:00:00 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (-11_676_096_000, "Sat, 01 Jan 1600 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] as [(Int64, String)])
    func datesAreWrittenAndRead(_ seconds: Int64, _ text: String) {
        #expect(HTTPDate.format(seconds) == text)
        #expect(HTTPDate.parse(text) == seconds)
    }

    @Test func datesOutOfRangeAreTheNearestOnes() {
        #expect(HTTPDate.format(.min) == "Sat, 01 Jan 1600 00:00:00 GMT")
        #expect(HTTPDate.format(9_000_000_000_000) == "Fri, 31 Dec 9999 23:59:59 GMT")
        #expect(HTTPDate.format(.max) == "Fri, 31 Dec 9999 23:59:59 GMT")
    }

    @Test func datesAreWrittenAsTheyAreRead() {
        for seconds in [0, 951_782_400, 1_767_225_599, 4_102_444_800] as [Int64] {
            #expect(HTTPDate.parse(HTTPDate.format(seconds)) == seconds)
        }
        // About every second year, at another time of day each time.
        for seconds in stride(from: Int64(-11_676_096_000), through: 253_402_300_799, by: 78_787_877) {
            #expect(HTTPDate.parse(HTTPDate.format(seconds)) == seconds)
        }
    }

    @Test(arguments: [
        "", "Sun, 06 Nov 1994 08:49:37", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun,  06 Nov 1994 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT", "Xun, 06 Nov 1994 08:49:37 GMT",
    ])
    func anyOtherFormIsNoDate(_ text: String) {
        #expect(HTTPDate.parse(text) == nil)
    }

    @Test func aDayThatTheMonthDoesNotHaveIsOneOfTheNext() {
        #expect(HTTPDate.parse("Sat, 31 Feb 2001 00:00:00 GMT") == HTTPDate.parse("Sat, 03 Mar 2001 00:00:00 GMT"))
        #expect(HTTPDate.parse("Sat, 30 Jun 2012 23:59:60 GMT") == HTTPDate.parse("Sun, 01 Jul 2012 00:00:00 GMT"))
    }
}
