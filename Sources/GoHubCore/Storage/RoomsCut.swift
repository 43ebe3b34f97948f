/// Adds rooms to a page until one doesn't fit: by count, or by bytes of text, of which one room's always fit.
package struct RoomsPageBuilder {
    private let roomsMax: Int
    private var bytesLeft: Int
    package private(set) var page = RoomsPage()

    package init(_ request: RoomsRequest) {
        roomsMax = request.roomsMax
        bytesLeft = request.bytesMax
    }

    /// - Returns: whether the page may accept the next room.
    package mutating func take(_ room: UserRoom) -> Bool {
        let bytes = room.answerBytes
        guard page.rooms.count < roomsMax, page.rooms.isEmpty || bytes <= bytesLeft else {
            page.more = true
            return false
        }
        bytesLeft -= bytes
        page.rooms.append(room)
        return true
    }
}
