/// What is known of each channel, found by the bytes of its name where they were received: a message needs neither a
/// copy of its channel nor a parsed topic.
struct ChannelTable<Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        let channel: [UInt8]
        var value: Value
        /// The next entry with the same hash.
        var next: Int?
    }

    private var entries: [Entry?] = []
    /// Places in `entries` without one.
    private var free: [Int] = []
    /// The first entry of each hash. Swift's hash has a seed for each process, so nobody can choose names that collide.
    private var first: [Int: Int] = [:]
    private let hashMask: Int

    /// - Parameter hashMask: the bits of a hash that count; few of them make collisions, for tests.
    init(hashMask: Int = -1) {
        self.hashMask = hashMask
    }

    var count: Int { entries.count - free.count }

    /// The place of a channel; `nil` if it isn't in the table.
    func find(_ channel: UnsafeRawBufferPointer) -> Int? {
        var place = first[hash(channel)]
        while let index = place, let entry = entries[index] {
            if entry.channel.count == channel.count, entry.channel.elementsEqual(channel) { return index }
            place = entry.next
        }
        return nil
    }

    func find(_ channel: [UInt8]) -> Int? { channel.withUnsafeBytes { find($0) } }

    /// Adds a channel that isn't in the table.
    mutating func insert(_ channel: [UInt8], _ value: Value) -> Int {
        let hash = channel.withUnsafeBytes { self.hash($0) }
        let entry = Entry(channel: channel, value: value, next: first[hash])
        let index: Int
        if let place = free.popLast() {
            entries[place] = entry
            index = place
        } else {
            entries.append(entry)
            index = entries.count - 1
        }
        first[hash] = index
        return index
    }

    /// Removes the channel at a place of the table.
    mutating func remove(_ index: Int) {
        guard let entry = entries[index] else { return }
        let hash = entry.channel.withUnsafeBytes { self.hash($0) }
        if first[hash] == index {
            first[hash] = entry.next
        } else {
            var place = first[hash]
            while let before = place, let next = entries[before]?.next {
                if next == index { entries[before]?.next = entry.next }
                place = next
            }
        }
        entries[index] = nil
        free.append(index)
    }

    func channel(_ index: Int) -> [UInt8] { entries[index]?.channel ?? [] }

    /// - Returns: `nil` for a place without a channel.
    subscript(index: Int) -> Value? { entries[index]?.value }

    /// Changes the value at a place of the table.
    mutating func update(_ index: Int, _ body: (inout Value) -> Void) {
        guard var value = entries[index]?.value else { return }
        body(&value)
        entries[index]?.value = value
    }

    private func hash(_ channel: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: channel)
        return hasher.finalize() & hashMask
    }
}
