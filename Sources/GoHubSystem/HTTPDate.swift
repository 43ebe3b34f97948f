/// A date in HTTP's format: `Sun, 06 Nov 1994 08:49:37 GMT` (IMF-fixdate; RFC 9110, section 5.6.7). Times are seconds
/// since 1970 UTC.
package enum HTTPDate {
    /// Begins with the weekday of 1600-01-01.
    private static let dayNames = ["Sat", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri"]
    private static let monthNames = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    private static let secondsADay: Int64 = 86_400
    private static let firstYear = 1600
    /// 9999-12-31T23:59:59Z: the format has four digits for the year.
    private static let secondsMax: Int64 = 253_402_300_799

    // MARK: Writing

    /// Formats a time. Times before 1600 or after 9999 are clamped to that range.
    package static func format(_ seconds: Int64) -> String {
        let first = Int64(daysSince1970(firstYear))
        let seconds = min(max(seconds, first * secondsADay), secondsMax)
        // Both are 0 or more, so the division rounds down.
        let days = Int((seconds - first * secondsADay) / secondsADay)
        let second = Int((seconds - first * secondsADay) % secondsADay)
        let (year, month, day) = date(daysSinceFirst: days)
        let clock = [second / 3600, second / 60 % 60, second % 60].map(twoDigits).joined(separator: ":")
        return "\(dayNames[days % 7]), \(twoDigits(day)) \(monthNames[month - 1]) \(year) \(clock) GMT"
    }

    /// Counts year by year and month by month: the loops are short.
    private static func date(daysSinceFirst: Int) -> (year: Int, month: Int, day: Int) {
        // The Gregorian calendar repeats itself after 400 years.
        var year = firstYear + daysSinceFirst / 146_097 * 400
        var days = daysSinceFirst % 146_097
        while days >= dayCount(ofYear: year) {
            days -= dayCount(ofYear: year)
            year += 1
        }
        var month = 1
        while month < 12, days >= dayCount(ofMonth: month, year) {
            days -= dayCount(ofMonth: month, year)
            month += 1
        }
        return (year, month, days + 1)
    }

    private static func isLeap(_ year: Int) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    private static func dayCount(ofYear year: Int) -> Int { isLeap(year) ? 366 : 365 }

    private static func dayCount(ofMonth month: Int, _ year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func twoDigits(_ number: Int) -> String {
        number < 10 ? "0\(number)" : String(number)
    }

    // MARK: Reading

    /// Parses only the preferred form. The two others were obsolete in 1999, and a condition with one is ignored, which
    /// costs no more than a complete response. A day or leap second beyond its month or minute counts into the next
    /// one. Times before 1970 are negative.
    package static func parse(_ text: String) -> Int64? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 6, words[0].count == 4, words[0].last == ",",
            dayNames.contains(String(words[0].dropLast())), words[5] == "GMT", let day = number(words[1], digits: 2),
            let month = monthNames.firstIndex(of: String(words[2])), let year = number(words[3], digits: 4)
        else { return nil }
        let clock = words[4].split(separator: ":", omittingEmptySubsequences: false).map { number($0, digits: 2) }
        guard clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2],
            year >= firstYear, (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        let days = daysSince1970(year) + (1...12).prefix(month).reduce(0) { $0 + dayCount(ofMonth: $1, year) } + day - 1
        return min(Int64(days) * secondsADay + Int64(hour * 3600 + minute * 60 + second), secondsMax)
    }

    /// The number of days from 1970-01-01 to a year's first day.
    private static func daysSince1970(_ year: Int) -> Int {
        func leapDays(before year: Int) -> Int { (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 }
        return (year - 1970) * 365 + leapDays(before: year) - leapDays(before: 1970)
    }

    private static func number(_ text: Substring, digits: Int) -> Int? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return Int(text)
    }
}
