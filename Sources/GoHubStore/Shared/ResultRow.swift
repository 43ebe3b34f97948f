internal import GoHubCore

/// The columns of a statement's rows, in the order of the cases. The statement selects `list` and its rows are read by
/// the cases, so a new column moves no other one.
protocol ResultColumn: CaseIterable, RawRepresentable<Int> {
    /// What the statement selects: the name of the case, unless the type says otherwise.
    var sql: String { get }
}

extension ResultColumn {
    var sql: String { "\(self)" }

    /// All columns, for the statement that selects them.
    static var list: String { allCases.map(\.sql).joined(separator: ", ") }
}

/// A row of a result, read by its columns.
protocol ResultRow<Column> {
    associatedtype Column

    func isNull(_ column: Column) -> Bool
    /// - Returns: 0 for NULL.
    func integer(_ column: Column) -> Int64
    /// - Returns: false for NULL.
    func flag(_ column: Column) -> Bool
    /// - Returns: the empty text for NULL.
    func text(_ column: Column) -> String
}

extension ResultRow {
    func optionalInteger(_ column: Column) -> Int64? { isNull(column) ? nil : integer(column) }

    func optionalText(_ column: Column) -> String? { isNull(column) ? nil : text(column) }

    /// An offset, stored as the signed number with the same bits.
    func offset(_ column: Column) -> Offset { Offset(bitPattern: integer(column)) }

    func time(_ column: Column) -> WallTime { WallTime(milliseconds: integer(column)) }

    func position(epoch: Column, offset: Column) -> Position {
        Position(epoch: Epoch(text(epoch)), offset: self.offset(offset))
    }

    func receipt(delivered: Column, seen: Column) -> Receipt {
        Receipt(delivered: offset(delivered), seen: offset(seen))
    }
}
