extension RedisError {
    /// The meaning of an error reply, by its first word, which Redis keeps stable for programs.
    ///
    /// The rest of the reply is only shown where nothing better is known, and never for AUTH: Redis repeats arguments
    /// of commands that it doesn't know.
    ///
    /// - Parameters:
    ///   - reply: the error's text, as the server sent it.
    ///   - request: the command that it answers.
    init(reply: [UInt8], to request: RedisRequest) {
        let words = reply.split(separator: UInt8(ascii: " "), maxSplits: 1, omittingEmptySubsequences: false)
        let prefix = words.first.map { String(decoding: $0, as: UTF8.self) } ?? ""
        let text = String(decoding: reply, as: UTF8.self).lowercased()
        switch prefix {
        case "NOAUTH":
            self.init(
                .authentication,
                "Redis: the server wants a password. Set user and password in cluster.redis or cluster.redisFile.")
        case "WRONGPASS":
            self.init(
                .authentication,
                "Redis: the server knows no such user and password, or the user is disabled. Correct them in "
                    + "cluster.redis or cluster.redisFile, or the server's ACL.")
        case "NOPERM": self.init(noPermission: text, request)
        case "READONLY":
            self.init(.notPrimary, "Redis: the server is a replica. Set cluster.redis to the primary, or to Sentinels.")
        case "LOADING": self.init(.loading, "Redis: the server is reading its data. It will be ready by itself.")
        case "MASTERDOWN":
            self.init(
                .notPrimary,
                "Redis: the server is a replica that has lost its primary. Set cluster.redis to the primary, or to "
                    + "Sentinels.")
        case "BUSY", "UNKILLABLE":
            self.init(
                .busy,
                "Redis: a script or a module keeps the server from answering. End it with SCRIPT KILL, and give the bus "
                    + "a server of its own.")
        case "OOM":
            self.init(
                .full, "Redis: the server's memory is full. Raise maxmemory, or give the bus a server of its own.")
        case "MOVED", "ASK", "CROSSSLOT", "CLUSTERDOWN", "TRYAGAIN":
            self.init(
                .cluster,
                "Redis: the Redis Cluster does not serve \(request.name) (\(prefix)). Check its state with CLUSTER INFO, "
                    + "or set cluster.redis to a Redis that is not a cluster.")
        case "MISCONF", "NOREPLICAS":
            self.init(
                .refused,
                "Redis: the server refuses commands because of its own state (\(prefix)). Its log tells the reason.")
        case "DENIED":
            self.init(
                .permission,
                "Redis: the server is in protected mode and serves only its own machine. Set a password or a user on it."
            )
        case "NOPROTO", "EXECABORT", "IDONTKNOW", "NOGOODSLAVE", "INPROG":
            self.init(.refused, "Redis: the server refused \(request.name) (\(prefix)).")
        default: self.init(refused: reply, text, request)
        }
    }

    private init(noPermission text: String, _ request: RedisRequest) {
        // "this user has no permissions to access one of the channels used as arguments" (Redis 6.2), "no permissions
        // to access the 'x' channel" (later).
        if text.contains("channel") {
            self.init(
                .permission,
                "Redis: the user may not use the bus's channels. Add the channel pattern &PREFIX.* to the user's ACL, with "
                    + "cluster.prefix in place of PREFIX.")
        } else {
            self.init(
                .permission,
                "Redis: the user may not run \(request.name). Add \(request.rule) to the user's ACL.")
        }
    }

    /// For the general error `ERR`, which has its meaning in its text, and for prefixes of other servers.
    private init(refused reply: [UInt8], _ text: String, _ request: RedisRequest) {
        if text.contains("max number of clients") {
            self.init(.full, "Redis: the server has its maximum of clients. Raise maxclients.")
            return
        }
        guard case .authenticate(let credentials) = request else {
            // The rest is a part of the arguments: a message, for example.
            if text.contains("unknown command") {
                self.init(
                    .refused,
                    "Redis: the server does not know the command \(request.name). It may be renamed in the server's "
                        + "configuration.")
                return
            }
            let shown = String(
                decoding: reply.prefix(200).map { (0x20...0x7E).contains($0) ? $0 : 0x3F }, as: UTF8.self)
            self.init(.refused, "Redis: the server refused \(request.name): \(shown)")
            return
        }
        if text.contains("without any password configured") {
            self.init(
                .authentication,
                "Redis: the server has no password for its default user. Remove the password from cluster.redis, or set "
                    + "one on the server.")
        } else if text.contains("invalid password") {
            self.init(
                .authentication, "Redis: the password is wrong. Correct it in cluster.redis or cluster.redisFile.")
        } else if credentials.user != nil, text.contains("wrong number of arguments") || text.contains("syntax error") {
            self.init(
                .authentication,
                "Redis: the server knows no users, only a password, as before Redis 6. Remove the user from "
                    + "cluster.redis: redis://:password@host.")
        } else {
            // Whatever the server says may contain the password.
            self.init(.authentication, "Redis: the server refused user and password. Its log may tell the reason.")
        }
    }
}
