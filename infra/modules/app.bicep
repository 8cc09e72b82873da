// The function app on Flex Consumption, with its settings.
param location string
param tags object

@description('Names of the app and of what it uses. Those of options that are off are not read.')
param names {
  app: string
  identity: string
  storage: string
  insights: string
  network: string
  fallback: string
  redis: string
  *: string
}

@description('The options that are on. With signIn, App Service signs users in, instead of the function key.')
param uses { network: bool, fallback: bool, redis: bool, signIn: bool, publicAccess: bool }

param scale { instanceMemoryMB: int, maximumInstanceCount: int, alwaysReadyInstances: int, httpConcurrency: int }
param modelEndpoint string
param modelDeploymentName string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: names.identity
}

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: names.storage
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: names.insights
}

resource subnet 'Microsoft.Network/virtualNetworks/subnets@2025-01-01' existing = {
  name: '${names.network}/app'
}

resource fallback 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = {
  name: names.fallback
}

resource redis 'Microsoft.Cache/redisEnterprise@2025-07-01' existing = {
  name: names.redis
}

var clientId = identity.properties.clientId
var settings = union(
  {
    // The host's storage, and the sessions.
    AzureWebJobsStorage__accountName: names.storage
    AzureWebJobsStorage__clientId: clientId
    AzureWebJobsStorage__credential: 'managedidentity'
    // Traces, metrics and logs, of the host and of the app.
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${clientId};Authorization=AAD'
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
    AZURE_CLIENT_ID: clientId
    AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: modelDeploymentName
    AZURE_OPENAI_ENDPOINT: modelEndpoint
    // A place for each request that the platform sends to an instance, so that none waits for a place. When more arrive,
    // as many again may wait; the app refuses the rest.
    MODEL_MAX_CONCURRENCY: string(scale.httpConcurrency)
  },
  uses.fallback ? { AZURE_OPENAI_FALLBACK_ENDPOINTS: fallback.properties.endpoint } : {},
  uses.redis ? { ANSWER_CACHE_REDIS_URL: 'rediss://${redis.properties.hostName}:10000' } : {},
  uses.signIn
    ? {
        HTTP_AUTH_LEVEL: 'anonymous'
        // App Service proves itself to Entra with this identity instead of a client secret.
        OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: clientId
      }
    : {}
)

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-${names.app}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: names.app
  location: location
  // azd finds the app of the service `api` by this tag.
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: uses.publicAccess ? 'Enabled' : 'Disabled'
    virtualNetworkSubnetId: uses.network ? subnet.id : null
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
    }
    functionAppConfig: {
      runtime: { name: 'node', version: '24' }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}package'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: scale.instanceMemoryMB
        maximumInstanceCount: scale.maximumInstanceCount
        alwaysReady: scale.alwaysReadyInstances == 0
          ? []
          : [{ name: 'http', instanceCount: scale.alwaysReadyInstances }]
        // A question mostly waits for the model, so that one instance can answer many. The platform's own limit (16 with
        // 2048 MB) is for functions that compute.
        triggers: { http: { perInstanceConcurrency: scale.httpConcurrency } }
      }
    }
  }

  resource appSettings 'config' = {
    name: 'appsettings'
    properties: settings
  }

  // Publishing needs an identity too.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

output url string = 'https://${app.properties.defaultHostName}'
