"""HTTP/1.1 as a server's face. Only images of their own have this and the parser that it stands on, httptools."""
