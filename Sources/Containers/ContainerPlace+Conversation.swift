internal import Hypervisors

/// How a script that waits in an OS VM speaks with this host (``ControlChannel``).
extension ContainerPlace {
    /// Shell lines that open a channel and define `hear WORD`, which waits for it and fails when something else comes, or nobody is
    /// there any more, and `say_done`, which also tells the steps so far.
    ///
    /// A script that fails says so, with the words of whatever failed.
    func conversation(over channel: ControlChannel) -> String {
        let port = ControlChannel.port(of: name)
        return """
            set -e
            tries=0
            until [ -c \(port) ]; do tries=$((tries + 1)); [ $tries -lt 200 ]; sleep 0.02; done
            exec 3<>\(port) 2>"$0.log"
            hear() { read -r word <&3 && [ "$word" = "$1" ]; }
            say_done() { printf '%s%s\\n' "$steps" "\(channel.done)" >&3; steps=; }
            say_failed() { tail -n 12 "$0.log" >&3; printf '\\n%s\\n' "\(channel.failed)" >&3; }
            trap 'status=$?; rm -f \(files.directory)/at-work; [ $status = 0 ] || say_failed' EXIT
            """
    }
}
