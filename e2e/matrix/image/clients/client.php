<?php
// PHP's own streams.
$context = stream_context_create(
    ['http' => ['header' => 'Authorization: Bearer ' . getenv('MATRIX_TOKEN')]]
);
echo file_get_contents($argv[1], false, $context);
print_r($http_response_header);
