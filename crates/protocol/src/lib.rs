//! What crosses the socket.
