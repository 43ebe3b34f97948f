/// All files of the web client and of the SDK.
///
/// This is the only list of them: `Package.swift` embeds the two folders whole.
public enum WebFiles {
    /// The page and the files that it loads. It needs the SDK in the same directory.
    public static let client: [WebFile] = [
        WebFile("/", "text/html; charset=utf-8", PackageResources.index_html),
        WebFile("/icon.svg", "image/svg+xml", PackageResources.icon_svg),
        .styles("base", PackageResources.base_css),
        .styles("conversation", PackageResources.conversation_css),
        .styles("files", PackageResources.files_css),
        .styles("layout", PackageResources.layout_css),
        .script("actions", PackageResources.actions_js),
        .script("app", PackageResources.app_js),
        .script("attachments", PackageResources.attachments_js),
        .script("chat", PackageResources.chat_js),
        .script("commands", PackageResources.commands_js),
        .script("composer", PackageResources.composer_js),
        .script("dom", PackageResources.dom_js),
        .script("drop", PackageResources.drop_js),
        .script("files", PackageResources.files_js),
        .script("grants", PackageResources.grants_js),
        .script("graph", PackageResources.graph_js),
        .script("handshake", PackageResources.handshake_js),
        .script("layout", PackageResources.layout_js),
        .script("media", PackageResources.media_js),
        .script("message", PackageResources.message_js),
        .script("people", PackageResources.people_js),
        .script("placeholder", PackageResources.placeholder_js),
        .script("rooms", PackageResources.rooms_js),
        .script("session", PackageResources.session_js),
        .script("signin", PackageResources.signin_js),
        .script("start", PackageResources.start_js),
        .script("status", PackageResources.status_js),
        .script("theme", PackageResources.theme_js),
        .script("timeline", PackageResources.timeline_js),
        .script("upload-panel", PackageResources.upload_panel_js),
        .script("viewer", PackageResources.viewer_js),
        .script("virtual-list", PackageResources.virtual_list_js),
    ]

    /// The JavaScript SDK (Docs/SDK.md), and its types for TypeScript.
    public static let sdk: [WebFile] = [
        .script("gohub", PackageResources.gohub_js),
        .script("gohub-room", PackageResources.gohub_room_js),
        .script("gohub-view", PackageResources.gohub_view_js),
        .script("gohub-people", PackageResources.gohub_people_js),
        .script("gohub-outbox", PackageResources.gohub_outbox_js),
        .script("gohub-support", PackageResources.gohub_support_js),
        .script("gohub-files", PackageResources.gohub_files_js),
        .script("gohub-upload", PackageResources.gohub_upload_js),
        .script("gohub-uploads", PackageResources.gohub_uploads_js),
        WebFile("/gohub.d.ts", "text/plain; charset=utf-8", PackageResources.gohub_d_ts),
    ]
}
