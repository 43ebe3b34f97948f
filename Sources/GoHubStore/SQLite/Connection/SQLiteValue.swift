internal import GoHubCore

/// A possible value of a statement's parameter.
protocol SQLiteValue {
    func bind(to statement: SQLiteStatement, at index: Int32) throws(StoreError)
}

extension String: SQLiteValue {
    func bind(to statement: SQLiteStatement, at index: Int32) throws(StoreError) { try statement.bind(self, at: index) }
}

extension Int64: SQLiteValue {
    func bind(to statement: SQLiteStatement, at index: Int32) throws(StoreError) { try statement.bind(self, at: index) }
}

/// `nil` is NULL.
extension Optional: SQLiteValue where Wrapped: SQLiteValue {
    func bind(to statement: SQLiteStatement, at index: Int32) throws(StoreError) {
        if let self { try self.bind(to: statement, at: index) } else { try statement.bindNull(at: index) }
    }
}

extension SQLiteStatement {
    /// Binds parameters, from the first on. Those behind them stay as they were bound before.
    func bind<each Value: SQLiteValue>(_ values: repeat each Value) throws(StoreError) {
        var index: Int32 = 0
        for value in repeat each values {
            index += 1
            try value.bind(to: self, at: index)
        }
    }

    /// Binds all parameters.
    func bind(all values: [(any SQLiteValue)?]) throws(StoreError) {
        for (place, value) in values.enumerated() {
            let index = Int32(clamping: place + 1)
            if let value { try value.bind(to: self, at: index) } else { try bindNull(at: index) }
        }
    }

    /// Binds parameters, from the first on, and runs a statement without rows.
    func run<each Value: SQLiteValue>(_ values: repeat each Value) throws(StoreError) {
        try bind(repeat each values)
        try run()
    }
}
