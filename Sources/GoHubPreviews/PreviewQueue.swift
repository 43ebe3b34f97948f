internal import GoHubCore

/// Selects the next image, with the users in turn, so that no user waits behind all images of another.
///
/// It only decides: the previewer has the threads and the lock.
struct PreviewQueue<Image> {
    enum Addition {
        case waits
        /// It takes the slot of the newest image of the user with the most images.
        case replaces(Image)
        case refused
    }

    /// The maximum number of waiting images, in total and of one user.
    private let waitingMax: Int
    private let userWaitingMax: Int
    /// No array is empty.
    private var images: [UserKey: [Image]] = [:]
    /// The users with waiting images, the next one first.
    private var turns: [UserKey] = []
    private(set) var count = 0

    init(waitingMax: Int, userWaitingMax: Int) {
        self.waitingMax = waitingMax
        self.userWaitingMax = userWaitingMax
    }

    /// - Parameter idle: the number of images that can start immediately and so don't count as waiting.
    mutating func add(_ image: Image, of user: UserKey, idle: Int) -> Addition {
        let own = images[user]?.count ?? 0
        guard own < userWaitingMax + idle else { return .refused }
        guard count >= waitingMax + idle else {
            append(image, of: user)
            return .waits
        }
        // An equal number doesn't suffice: the two users would replace each other's images forever.
        guard let most = turns.max(by: { (images[$0]?.count ?? 0) < (images[$1]?.count ?? 0) }),
            (images[most]?.count ?? 0) > own + 1, let newest = images[most]?.popLast()
        else { return .refused }
        count -= 1
        append(image, of: user)
        return .replaces(newest)
    }

    private mutating func append(_ image: Image, of user: UserKey) {
        if images[user] == nil { turns.append(user) }
        images[user, default: []].append(image)
        count += 1
    }

    /// Removes the oldest image of the user whose turn it is.
    mutating func next() -> Image? {
        guard !turns.isEmpty else { return nil }
        let user = turns.removeFirst()
        guard var waiting = images.removeValue(forKey: user), !waiting.isEmpty else { return nil }
        let image = waiting.removeFirst()
        count -= 1
        if !waiting.isEmpty {
            images[user] = waiting
            turns.append(user)
        }
        return image
    }
}
