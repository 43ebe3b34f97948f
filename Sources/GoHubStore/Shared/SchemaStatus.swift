/// The schema of a database, beside the schema of this version.
package struct SchemaStatus: Hashable, Sendable {
    package enum Verdict: Hashable, Sendable {
        /// The database has this version's schema.
        case current
        /// The database has an older schema, or no tables yet.
        case needsMigration
        /// The database has a newer schema that this version can use.
        case usable
        /// The database has a newer schema that this version can't use.
        case tooNew
    }

    /// The version of the database's schema; 0 without tables.
    package let found: Int
    /// The version of the schema that this version of GoHub writes.
    package let wanted: Int
    /// The oldest schema whose hubs can use the database.
    package let readableFrom: Int

    package init(found: Int, wanted: Int, readableFrom: Int) {
        self.found = found
        self.wanted = wanted
        self.readableFrom = readableFrom
    }

    package var verdict: Verdict {
        if found == wanted { return .current }
        if found < wanted { return .needsMigration }
        return readableFrom <= wanted ? .usable : .tooNew
    }
}
