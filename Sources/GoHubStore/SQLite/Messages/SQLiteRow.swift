/// The current row of a statement, read by the columns that it selects.
struct SQLiteRow<Column: RawRepresentable<Int>>: ResultRow {
    private let statement: SQLiteStatement

    init(_ statement: SQLiteStatement) {
        self.statement = statement
    }

    func isNull(_ column: Column) -> Bool { statement.isNull(Int32(clamping: column.rawValue)) }

    func integer(_ column: Column) -> Int64 { statement.integer(Int32(clamping: column.rawValue)) }

    func flag(_ column: Column) -> Bool { integer(column) != 0 }

    func text(_ column: Column) -> String { statement.text(Int32(clamping: column.rawValue)) }
}
