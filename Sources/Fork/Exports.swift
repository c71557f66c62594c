// `import Fork` is all that a program needs: the JSON value, and what the public face says of processes and loops.
@_exported public import enum JSONCodec.JSON
@_exported public import struct JSONCodec.JSONError
@_exported public import class Reactor.MessageLoop
@_exported public import struct Reactor.ResourceUsage
@_exported public import struct Reactor.Signal
@_exported public import struct SystemPackage.Errno
@_exported public import struct SystemPackage.FileDescriptor
@_exported public import struct SystemPackage.FilePath
