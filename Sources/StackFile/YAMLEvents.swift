internal import CYAML

/// An event of libyaml's parser.
struct YAMLEvent {
    enum Kind: Equatable {
        case documentStart
        case alias(String)
        case scalar(String, isPlain: Bool)
        case sequenceStart
        case mappingStart
        /// The end of the innermost list or mapping.
        case end
        case streamEnd
        case other
    }

    let kind: Kind
    /// The anchor by which an alias may refer to it.
    let anchor: String?
    /// The line, from 1.
    let line: Int
    /// The column, from 1.
    let column: Int

    fileprivate init(_ event: yaml_event_t) {
        line = event.start_mark.line + 1
        column = event.start_mark.column + 1
        var name: UnsafePointer<UInt8>?
        switch event.type {
        case YAML_DOCUMENT_START_EVENT: kind = .documentStart
        case YAML_ALIAS_EVENT: kind = .alias(Self.text(event.data.alias.anchor))
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            name = UnsafePointer(scalar.anchor)
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            kind = .scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
        case YAML_SEQUENCE_START_EVENT:
            name = UnsafePointer(event.data.sequence_start.anchor)
            kind = .sequenceStart
        case YAML_MAPPING_START_EVENT:
            name = UnsafePointer(event.data.mapping_start.anchor)
            kind = .mappingStart
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: kind = .end
        case YAML_STREAM_END_EVENT: kind = .streamEnd
        default: kind = .other
        }
        anchor = name.map { Self.text($0) }
    }

    private static func text(_ start: UnsafePointer<UInt8>?) -> String {
        start.map { String(cString: $0) } ?? ""
    }
}

/// The events of a text, in order.
struct YAMLEvents: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let text: UnsafeMutableBufferPointer<UInt8>

    /// Starts parsing a text in UTF-8; keeps a copy, because libyaml reads it incrementally.
    init(_ bytes: [UInt8]) {
        parser = .allocate(capacity: 1)
        text = .allocate(capacity: bytes.count)
        _ = text.initialize(from: bytes)
        guard yaml_parser_initialize(parser) == 1 else { fatalError("libyaml: out of memory") }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, text.baseAddress, text.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        text.deallocate()
    }

    /// Returns the next event.
    mutating func next() throws(YAMLFailure) -> YAMLEvent {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw failure }
        defer { yaml_event_delete(&event) }
        return YAMLEvent(event)
    }

    private var failure: YAMLFailure {
        let state = parser.pointee
        let problem = state.problem.map { String(cString: $0) } ?? "it cannot be read"
        // libyaml's reader, unlike its scanner and parser, reports only a byte offset.
        if state.error == YAML_READER_ERROR {
            let before = text.prefix(state.problem_offset)
            let line = before.count { $0 == UInt8(ascii: "\n") } + 1
            return YAMLFailure(
                line: line, column: nil, "not valid YAML: \(problem)",
                remedy: "Remove the character, or write it as an escape in double quotes: \"\\x07\".")
        }
        let context = state.context.map { "\(String(cString: $0)) in line \(state.context_mark.line + 1), " } ?? ""
        return YAMLFailure(
            line: state.problem_mark.line + 1, column: state.problem_mark.column + 1,
            "not valid YAML: \(context)\(problem)",
            remedy: "Check the indentation (spaces, no tabs), the colons and the quotes here and in the line above.")
    }
}
