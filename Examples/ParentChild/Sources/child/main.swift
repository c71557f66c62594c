// The child. `Process.serve()` calls the handler for each message of the parent and returns when the parent
// disconnects.

import Fork
import Glibc

struct Rectangle: Codable {
    var width: Double
    var height: Double
}

struct Area: Codable {
    var area: Double
}

print("[Child]  initialize")
// Parent and child write to one output. Without this the child's lines would come when it ends.
fflush(nil)

Process.onMessage { message in
    if let rectangle = try? message.decode(Rectangle.self) {
        try Process.send(Area(area: rectangle.width * rectangle.height))
    } else {
        try Process.send(message.json == "Hello" ? "Hello to you too :)" : "what?")
    }
}
Process.serve()
