<?php
// A token for one of your users, made by your own backend. No package needed.
//
//   TIDINGS_SECRET=… php token.php USER_ID

/**
 * $userId is your own id of the user, $secret the server's `auth.hs256_secret`.
 * Minutes are long enough: clients fetch a new token by themselves.
 */
function tidings_token(string $userId, string $secret, int $seconds = 600): string
{
    $base64url = fn (string $data): string => rtrim(strtr(base64_encode($data), '+/', '-_'), '=');
    $part = fn (array $value): string => $base64url(json_encode($value, JSON_THROW_ON_ERROR));
    $now = time();
    $signed = $part(['alg' => 'HS256', 'typ' => 'JWT'])
        . '.' . $part(['sub' => $userId, 'iat' => $now, 'exp' => $now + $seconds]);
    return $signed . '.' . $base64url(hash_hmac('sha256', $signed, $secret, true));
}

if (PHP_SAPI === 'cli' && realpath($argv[0]) === __FILE__) {
    echo tidings_token($argv[1], getenv('TIDINGS_SECRET')), "\n";
}
