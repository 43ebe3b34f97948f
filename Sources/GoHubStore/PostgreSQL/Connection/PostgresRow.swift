/// One row of a result, read by the columns of its statement.
struct PostgresRow<Column: RawRepresentable<Int>>: ResultRow {
    private let result: PostgresResult
    private let row: Int
    /// The first of the columns.
    private let start: Int

    init(_ result: PostgresResult, _ row: Int) {
        self.init(result, row, start: 0)
    }

    private init(_ result: PostgresResult, _ row: Int, start: Int) {
        self.result = result
        self.row = row
        self.start = start
    }

    func isNull(_ column: Column) -> Bool { result.isNull(row, start + column.rawValue) }

    func integer(_ column: Column) -> Int64 { result.integer(row, start + column.rawValue) }

    func flag(_ column: Column) -> Bool { result.flag(row, start + column.rawValue) }

    func text(_ column: Column) -> String { result.text(row, start + column.rawValue) }
}

extension PostgresRow where Column: ResultColumn {
    /// The part of the row after these columns, if the statement selects others behind them.
    func rest<Next: RawRepresentable<Int>>(_ columns: Next.Type) -> PostgresRow<Next> {
        PostgresRow<Next>(result, row, start: start + Column.allCases.count)
    }
}

extension PostgresResult {
    /// All rows, in their order.
    func each<Column: RawRepresentable<Int>>(
        _ columns: Column.Type
    ) -> LazyMapSequence<Range<Int>, PostgresRow<Column>> {
        (0..<rows).lazy.map { PostgresRow(self, $0) }
    }
}
