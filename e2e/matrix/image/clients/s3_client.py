"""boto3, as Debian packages it: an object put and got."""
import sys

import boto3

s3 = boto3.client("s3", region_name="eu-west-1", endpoint_url=sys.argv[1])
print(s3.put_object(Bucket="bucket", Key="a key.txt", Body=b"an object's bytes"))
answer = s3.get_object(Bucket="bucket", Key="a key.txt")
print(answer["ResponseMetadata"]["HTTPHeaders"])
print(answer["Body"].read().decode())
