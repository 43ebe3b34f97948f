/// Takes elements into a page until one doesn't fit: by count, or by bytes of text, of which one element's always fit.
package struct PageBuilder<Element> {
    private let countMax: Int
    private var bytesLeft: Int
    package private(set) var elements: [Element] = []
    /// Whether there was an element that didn't fit.
    package private(set) var more = false

    package init(countMax: Int, bytesMax: Int) {
        self.countMax = countMax
        bytesLeft = bytesMax
    }

    /// - Returns: whether the next element is worth bringing.
    package mutating func take(_ element: Element, bytes: Int) -> Bool {
        guard elements.count < countMax, elements.isEmpty || bytes <= bytesLeft else {
            more = true
            return false
        }
        bytesLeft -= bytes
        elements.append(element)
        return true
    }
}

extension PageBuilder<RoomsPage.Room> {
    package init(_ request: RoomsRequest) {
        self.init(countMax: request.roomsMax, bytesMax: request.bytesMax)
    }

    package mutating func take(_ room: RoomsPage.Room) -> Bool { take(room, bytes: room.answerBytes) }

    package var page: RoomsPage { RoomsPage(rooms: elements, more: more) }
}

extension PageBuilder<StoredMessage> {
    package init(_ request: HistoryRequest) {
        self.init(countMax: request.messagesMax, bytesMax: request.bytesMax)
    }

    package mutating func take(_ message: StoredMessage) -> Bool { take(message, bytes: message.answerBytes) }
}
