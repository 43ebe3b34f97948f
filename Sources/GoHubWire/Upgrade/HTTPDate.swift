internal import GoHubCore

/// A date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT` (IMF-fixdate; RFC 9110, section 5.6.7).
enum HTTPDate {
    private static let dayNames = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let monthNames = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    /// 9999-12-31T23:59:59Z: the format has four digits for the year.
    private static let secondsMax: Int64 = 253_402_300_799

    /// A clock that stands before 1970 or after 9999 gives the nearest date that can be written.
    static func text(of time: WallTime) -> String {
        let seconds = min(max(time.milliseconds / 1000, 0), secondsMax)
        let days = Int(seconds / 86_400)
        let second = Int(seconds % 86_400)
        // 1970-01-01 was a Thursday.
        let dayName = dayNames[days % 7]
        let (year, month, day) = date(daysSince1970: days)
        let clock = [second / 3600, second / 60 % 60, second % 60].map(twoDigits).joined(separator: ":")
        return "\(dayName), \(twoDigits(day)) \(monthNames[month - 1]) \(year) \(clock) GMT"
    }

    /// Year by year and month by month: a rejection is rare, and the loops are short.
    private static func date(daysSince1970: Int) -> (year: Int, month: Int, day: Int) {
        var year = 1970
        var days = daysSince1970
        while days >= 365 + leapDays(year) {
            days -= 365 + leapDays(year)
            year += 1
        }
        var month = 1
        while month < 12, days >= dayCount(month, year) {
            days -= dayCount(month, year)
            month += 1
        }
        return (year, month, days + 1)
    }

    private static func leapDays(_ year: Int) -> Int {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 1 : 0
    }

    private static func dayCount(_ month: Int, _ year: Int) -> Int {
        switch month {
        case 2: 28 + leapDays(year)
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func twoDigits(_ number: Int) -> String {
        number < 10 ? "0\(number)" : String(number)
    }
}
