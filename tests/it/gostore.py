# SPDX-License-Identifier: MIT
"""The store as the Go Telephone makes it: its schema, its sealing (AES-256-GCM under PBKDF2-HMAC-SHA256, by libcrypto
through ctypes: no code of ours), its times."""
import base64, ctypes, ctypes.util, datetime, hashlib, os, sqlite3

from harness import LeftOut, check

SCHEMA = """CREATE TABLE IF NOT EXISTS tokens (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		encrypted_token TEXT NOT NULL,
		expires_at DATETIME NOT NULL,
		updated_at DATETIME NOT NULL,
		created_at DATETIME DEFAULT CURRENT_TIMESTAMP
	)"""
INDEXES = ("CREATE INDEX IF NOT EXISTS idx_tokens_updated_at ON tokens(updated_at DESC)",
           "CREATE INDEX IF NOT EXISTS idx_tokens_expires_at ON tokens(expires_at DESC)")
SALT = b"telephone-token-encryption-v1"


def crypto():
    name = ctypes.util.find_library("crypto")
    if name is None:
        raise LeftOut("there is no libcrypto")
    lib = ctypes.CDLL(name)
    for call in (lib.EVP_CIPHER_CTX_new, lib.EVP_aes_256_gcm):
        call.restype = ctypes.c_void_p
    return lib


def gcm(key, nonce, data, tag=None):
    """Sealed (data + tag) without a tag, opened with one, None when it is not by this key."""
    lib = crypto()
    ctx, cipher = ctypes.c_void_p(lib.EVP_CIPHER_CTX_new()), ctypes.c_void_p(lib.EVP_aes_256_gcm())
    out, n = ctypes.create_string_buffer(len(data) + 16), ctypes.c_int()
    encrypt = 1 if tag is None else 0
    try:
        check(lib.EVP_CipherInit_ex(ctx, cipher, None, key, nonce, encrypt) == 1, "libcrypto")
        check(lib.EVP_CipherUpdate(ctx, out, ctypes.byref(n), data, len(data)) == 1, "libcrypto")
        if tag is not None:
            check(lib.EVP_CIPHER_CTX_ctrl(ctx, 0x11, 16, tag) == 1, "libcrypto")
        rest = ctypes.create_string_buffer(16)
        if lib.EVP_CipherFinal_ex(ctx, rest, ctypes.byref(ctypes.c_int())) != 1:
            return None
        if tag is None:
            made = ctypes.create_string_buffer(16)
            check(lib.EVP_CIPHER_CTX_ctrl(ctx, 0x10, 16, made) == 1, "libcrypto")
            return out.raw[:len(data)] + made.raw
        return out.raw[:len(data)]
    finally:
        lib.EVP_CIPHER_CTX_free(ctx)


def derive(secret):
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), SALT, 100000)


def seal(secret, token):
    nonce = os.urandom(12)
    return base64.b64encode(nonce + gcm(derive(secret), nonce, token.encode())).decode()


def unseal(secret, text):
    raw = base64.b64decode(text, validate=True)
    opened = gcm(derive(secret), raw[:12], raw[12:-16], raw[-16:])
    return None if opened is None else opened.decode()


def go_time(seconds, zone=0):
    """As the driver writes a time.Time."""
    when = datetime.datetime.fromtimestamp(seconds, datetime.timezone(datetime.timedelta(hours=zone)))
    fraction = f".{when.microsecond:06}".rstrip("0").rstrip(".")
    return when.strftime("%Y-%m-%d %H:%M:%S") + fraction + f"{when:%z}"[:3] + ":" + f"{when:%z}"[3:]


def make(path, secret, tokens, indexes=True, zone=0, mode=0o644):
    """tokens: (token, expires at), of an hour's life. Returns the open connection: closed, the store is as a clean end leaves it."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    for sql in (SCHEMA, *(INDEXES if indexes else ())):
        db.execute(sql)
    for token, expires in tokens:
        db.execute("INSERT INTO tokens (encrypted_token, expires_at, updated_at) VALUES (?, ?, ?)",
                   (seal(secret, token), go_time(expires, zone), go_time(expires - 3599.5, zone)))
    for name in (path, path + "-wal", path + "-shm"):
        if os.path.exists(name):
            os.chmod(name, mode)
            if os.geteuid() == 0:
                os.chown(name, 65534, 65534)
    return db


def load(path, secret, now):
    """What the Go Telephone would load: the latest that has not expired."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        row = db.execute("SELECT encrypted_token FROM tokens WHERE expires_at > ? ORDER BY updated_at DESC LIMIT 1",
                         (go_time(now),)).fetchone()
        return row and unseal(secret, row[0])
    finally:
        db.close()
