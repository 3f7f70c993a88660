<?php
// A message from your backend, in the name of one of your users.
//
//   TIDINGS_URL=http://127.0.0.1:8080 TIDINGS_SERVER_KEY=… php send.php FROM TO TEXT

/** Sends once, however often it has to try: the `client_id` stays the same. */
function tidings_send(string $from, array $message): array
{
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => [
            'Authorization: Bearer ' . getenv('TIDINGS_SERVER_KEY'),
            'X-Tidings-User: ' . $from,
            'Content-Type: application/json',
        ],
        'content' => json_encode($message, JSON_THROW_ON_ERROR),
        'ignore_errors' => true,
        'timeout' => 20,
    ]]);
    for ($attempt = 1; ; $attempt++) {
        $body = file_get_contents(getenv('TIDINGS_URL') . '/v1/messages', false, $context);
        $status = (int) explode(' ', $http_response_header[0] ?? 'HTTP/1.1 0')[1];
        if ($status >= 200 && $status < 300) {
            return json_decode($body, true, flags: JSON_THROW_ON_ERROR);
        }
        if (($status !== 503 && $status !== 0) || $attempt === 5) {
            throw new RuntimeException("$status: $body");
        }
        usleep(random_int(0, 1_000_000 * 2 ** $attempt));
    }
}

function uuid_v4(): string
{
    $bytes = random_bytes(16);
    $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
    $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
    return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
}

[, $from, $to, $text] = $argv;
echo json_encode(tidings_send($from, ['to' => $to, 'text' => $text, 'client_id' => uuid_v4()])), "\n";
