package nbd

// Numbers of the NBD protocol, as its specification names them
// (github.com/NetworkBlockDevice/nbd, doc/proto.md). All integers on the wire
// are big endian.
const (
	magicInit       = 0x4e42444d41474943 // "NBDMAGIC"
	magicOption     = 0x49484156454f5054 // "IHAVEOPT"
	magicReply      = 0x0003e889045565a9
	magicRequest    = 0x25609513
	magicSimple     = 0x67446698
	magicStructured = 0x668e33ef
)

// Handshake flags.
const (
	flagFixedNewstyle = 1 << 0
	flagNoZeroes      = 1 << 1
)

// Options that a client can ask for.
const (
	optExportName      = 1
	optAbort           = 2
	optList            = 3
	optInfo            = 6
	optGo              = 7
	optStructuredReply = 8
)

// Replies to options.
const (
	repAck        = 1
	repServer     = 2
	repInfo       = 3
	repErrUnsup   = 1<<31 + 1
	repErrInvalid = 1<<31 + 3
	repErrUnknown = 1<<31 + 6
	repErrTooBig  = 1<<31 + 9
)

// Kinds of information in NBD_REP_INFO.
const (
	infoExport      = 0
	infoName        = 1
	infoDescription = 2
	infoBlockSize   = 3
)

// Transmission flags.
const (
	transHasFlags        = 1 << 0
	transReadOnly        = 1 << 1
	transSendFlush       = 1 << 2
	transSendFUA         = 1 << 3
	transSendTrim        = 1 << 5
	transSendWriteZeroes = 1 << 6
	transSendDF          = 1 << 7
	transCanMultiConn    = 1 << 8
)

// Commands.
const (
	cmdRead        = 0
	cmdWrite       = 1
	cmdDisconnect  = 2
	cmdFlush       = 3
	cmdTrim        = 4
	cmdWriteZeroes = 6
)

// Flags of a command.
const (
	cmdFlagFUA = 1 << 0
)

// Chunks of structured replies.
const (
	chunkDone       = 1 << 0 // flag
	chunkNone       = 0
	chunkOffsetData = 1
	chunkError      = 1<<15 + 1
)

// Errors that a reply can carry; the numbers are those of Linux.
const (
	errPerm     = 1
	errIO       = 5
	errInvalid  = 22
	errNoSpace  = 28
	errShutdown = 108
)

// Limits of this server, in bytes.
const (
	// MaxRequest is the most a request may read or write: the size that the
	// specification tells clients to stay below unless told otherwise.
	MaxRequest = 32 << 20
	// maxOption is the most an option may carry.
	maxOption = 64 << 10
	// preferredBlock is the block size at which requests perform best.
	preferredBlock = 4096
)
