// Completions of a text that begins with a slash: the hub's commands, and their users and rooms.

/** The built-in commands (Docs/Protocol.md). `/help` also lists any others that a hub has. */
export const COMMANDS = [
    { name: "w", form: "/w user text", help: "Write to one person", takes: "user" },
    { name: "me", form: "/me action", help: "Describe an action" },
    { name: "join", form: "/join room", help: "Enter a room", takes: "room" },
    { name: "leave", form: "/leave", help: "Leave this room" },
    { name: "who", form: "/who", help: "List the members" },
    { name: "shrug", form: "/shrug text", help: "¯\\_(ツ)_/¯" },
    { name: "lenny", form: "/lenny text", help: "( ͡° ͜ʖ ͡°)" },
    { name: "tableflip", form: "/tableflip text", help: "(╯°□°)╯︵ ┻━┻" },
    { name: "unflip", form: "/unflip text", help: "┬─┬ノ( º _ ºノ)" },
    { name: "ping", form: "/ping", help: "Check that the hub responds" },
    { name: "help", form: "/help", help: "All commands" },
    { name: "kick", form: "/kick user", help: "Remove a user", takes: "user", isForModerators: true },
    { name: "mute", form: "/mute user minutes", help: "Stop a user from writing", takes: "user", isForModerators: true },
    { name: "ban", form: "/ban user minutes", help: "Remove a user and keep them out", takes: "user", isForModerators: true },
    { name: "pardon", form: "/pardon user", help: "End a mute or a ban", takes: "user", isForModerators: true },
];

const OPTIONS_MAX = 8;

/** A user as a command's argument: in double quotes if it contains spaces. */
export const asArgument = (user) => (/[\s"]/.test(user) ? `"${user}"` : user);

/** The completions of the text up to the caret: `{ label, help, text }` each, where `text` is the whole new text. */
export function completions(text, chat) {
    const isModerator = chat.current && chat.canModerate(chat.current);
    const commands = COMMANDS.filter((command) => isModerator || !command.isForModerators);
    const name = /^\/([a-z]*)$/.exec(text)?.[1];
    if (name !== undefined) {
        return commands.filter((command) => command.name.startsWith(name)).map((command) => ({
            label: command.form, help: command.help, text: `/${command.name}${command.form.includes(" ") ? " " : ""}`,
        })).slice(0, name ? OPTIONS_MAX : commands.length);
    }
    const [, used, argument] = /^\/([a-z]+) (\S*)$/.exec(text) ?? [];
    const command = commands.find((one) => one.name === used);
    if (!command?.takes) return [];
    const matching = command.takes === "user" ? users(chat) : rooms(chat);
    return matching.filter(({ id, label }) => [id, label].some((one) => one.toLowerCase().startsWith(argument.toLowerCase())))
        .filter(({ id }) => asArgument(id) !== argument)
        .map(({ id, label }) => ({ label, help: label === id ? "" : id, text: `/${used} ${asArgument(id)} ` }))
        .slice(0, OPTIONS_MAX);
}

function users(chat) {
    const members = [...(chat.current?.members.values() ?? [])];
    const peer = chat.current?.peer;
    if (peer) members.push({ user: peer });
    return members.filter(({ user }) => user !== chat.user).map(({ user, name }) => ({ id: user, label: name ?? user }));
}

const rooms = (chat) => chat.conversations().rooms.map(({ name }) => ({ id: name, label: name }));
